/** What a person is told, how urgently, and in which words. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { BusEvent } from '@jts/contracts'
import { kstInstantUs } from '@jts/model'
import { logWordsOf, notificationOf } from './notification.ts'
import { WORDS } from './words/index.ts'

it('tells a person in the evening what is sent in the morning, and when', () => {
  const told = notificationOf(
    {
      ...{ type: 'SignalWaiting', eventId: 'e', account: 'live.creon.krx', correlationId: 'c', timeEventUs: 1 },
      payload: {
        ...{ side: 'buy', quantity: '10', quoteQuantity: '', instrument: 'KRX:005930', strategy: 'samsung' },
        notBeforeUs: kstInstantUs('2026-01-06', 8.5 * 3600 + 5),
      },
    } as BusEvent,
    'en',
  )
  assert.deepEqual(
    [told!.severity, told!.title, told!.text],
    [
      'info',
      'Waits for its market: KRX:005930',
      'buy 10 is sent from 2026-01-06 08:30:05 in Korea on, if risk agrees then (samsung)',
    ],
  )
})

for (const [scope, strategy, state, title, severity] of [
  ['whole', '', 'halted', 'Trading is halted', 'critical'],
  ['strategy', 'ema-btc', 'halted', 'Trading of ema-btc is halted', 'critical'],
  ['strategy', 'ema-btc', 'active', 'Trading of ema-btc is active', 'info'],
] as const) {
  it(`tells a person whose trading is ${state}: ${title}`, () => {
    const told = notificationOf(
      {
        ...{
          type: 'TradingStateChanged',
          eventId: 'e',
          account: 'sim.binance.main',
          correlationId: 'c',
          timeEventUs: 1,
        },
        payload: { scope, strategy, state, version: 1, reason: 'news', by: 'a person', reasonCode: '' },
      } as BusEvent,
      'en',
    )
    assert.deepEqual([told!.severity, told!.title, told!.text], [severity, title, 'news'])
  })
}

const ref = { instrument: 'KRX:005930', side: 'buy', strategy: 'samsung' }
const KOREAN: readonly (readonly [type: BusEvent['type'], payload: object, title: string, text: string])[] = [
  [
    'OrderFilled',
    { ref, lastQuantity: '10', lastPrice: '70900', fee: '106', feeCurrency: 'KRW' },
    '체결: KRX:005930 매수 10',
    '체결가 70900, 수수료 106 KRW (samsung)',
  ],
  [
    'OrderRejected',
    { ref, reasonCode: 'INSUFFICIENT_BALANCE', reason: 'too poor' },
    '주문 거부: KRX:005930',
    '잔고가 부족합니다 (INSUFFICIENT_BALANCE: too poor)',
  ],
  [
    'RiskAlert',
    { signal: ref, reasonCode: 'ORDER_RATE', reason: 'expected at most 5, found 6' },
    '리스크 차단: KRX:005930',
    '분당 주문 수 한도를 넘습니다 (ORDER_RATE: expected at most 5, found 6)',
  ],
  [
    'OrderExpired',
    { ref, reasonCode: 'OF_THE_VENUE', reason: 'its own words' },
    '주문 만료: KRX:005930',
    'OF_THE_VENUE: its own words',
  ],
  [
    'BalanceAdjusted',
    { currency: 'KRW', amount: '-5000', reason: 'withdrawal', source: 'person', by: '김', words: '생활비' },
    '거래 없이 나간 잔고: 5000 KRW',
    '출금, 김이(가) 반영: 생활비',
  ],
  [
    'TradingStateChanged',
    { scope: 'strategy', strategy: 'samsung', state: 'halted', reason: '뉴스' },
    'samsung 거래 정지',
    '뉴스',
  ],
  ['ServiceHealth', { service: 'creon-service', state: 'down', reason: 'it ended' }, 'creon-service 중단', 'it ended'],
]
for (const [type, payload, title, text] of KOREAN) {
  it(`tells a Korean reader of ${type}: ${title}`, () => {
    const told = notificationOf({ type, eventId: 'e', correlationId: 'c', timeEventUs: 1, payload } as BusEvent, 'ko')!
    assert.deepEqual([told.title, told.text], [title, text])
  })
}

it('tells of the same events in both languages, and in the log in English', () => {
  assert.deepEqual(Object.keys(WORDS.ko).sort(), Object.keys(WORDS.en).sort())
  const [type, payload] = KOREAN[0]!
  assert.equal(logWordsOf({ type, payload } as BusEvent), 'Bought 10 KRX:005930: at 70900, fee 106 KRW (samsung)')
})
