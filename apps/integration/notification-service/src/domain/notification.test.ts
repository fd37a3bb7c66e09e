import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { BusEvent } from '@jts/contracts'
import { kstInstantUs } from '@jts/model'
import { notificationOf } from './notification.ts'

it('tells a person in the evening what is sent in the morning, and when', () => {
  const told = notificationOf({
    ...{ type: 'SignalWaiting', eventId: 'e', account: 'live.creon.krx', correlationId: 'c', timeEventUs: 1 },
    payload: {
      ...{ side: 'buy', quantity: '10', quoteQuantity: '', instrument: 'KRX:005930', strategy: 'samsung' },
      notBeforeUs: kstInstantUs('2026-01-06', 8.5 * 3600 + 5),
    },
  } as BusEvent)
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
    const told = notificationOf({
      ...{ type: 'TradingStateChanged', eventId: 'e', account: 'sim.binance.main', correlationId: 'c', timeEventUs: 1 },
      payload: { scope, strategy, state, version: 1, reason: 'news', by: 'a person', reasonCode: '' },
    } as BusEvent)
    assert.deepEqual([told!.severity, told!.title, told!.text], [severity, title, 'news'])
  })
}
