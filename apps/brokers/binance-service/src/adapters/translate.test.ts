import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PlaceOrderIntent } from '@jts/broker-kit'
import { instrumentId, parseUnits, type ClientOrderId } from '@jts/model'
import { fixture } from '../testing/fixtures.ts'
import * as messages from './messages.ts'
import * as translate from './translate.ts'

const BTCUSDT = instrumentId('BINANCE:BTCUSDT')

test('a filled market order becomes a report and its fills, as taker, with the quantity so far', () => {
  const { report, fills } = translate.toPlaced(messages.readNewOrder(fixture('new-order-full')))
  assert.deepEqual(report, {
    clientOrderId: 'order-1',
    venueOrderId: '28',
    instrument: 'BINANCE:BTCUSDT',
    side: 'buy',
    status: 'filled',
    quantity: parseUnits('0.03'),
    cumulativeQuantity: parseUnits('0.03'),
    timeUs: 1795392931000_000,
  })
  assert.deepEqual(
    fills.map(({ tradeId, quantity, cumulativeQuantity }) => [tradeId, quantity, cumulativeQuantity]),
    [
      ['56', parseUnits('0.01'), parseUnits('0.01')],
      ['57', parseUnits('0.02'), parseUnits('0.03')],
    ],
  )
  assert.equal(fills[0]?.liquidity, 'taker')
  assert.equal(fills[0]?.fee, parseUnits('0.00001'))
  assert.equal(fills[0]?.feeCurrency, 'BTC')
})

test('an immediate order that found nothing is expired, with the reason of the venue', () => {
  const { report, fills } = translate.toPlaced(messages.readNewOrder(fixture('new-order-expired')))
  assert.equal(report.status, 'expired')
  assert.equal(report.reason, 'INSUFFICIENT_LIQUIDITY')
  assert.deepEqual(fills, [])
})

test('a cancel answer is reported under the id of the order, not of the cancel', () => {
  const report = translate.toCancelled(messages.readCancelledOrder(fixture('cancel-order')))
  assert.equal(report.clientOrderId, 'order-1')
  assert.equal(report.status, 'cancelled')
  assert.equal(report.cumulativeQuantity, parseUnits('0.004'))
})

test('a queried order carries its last update', () => {
  const report = translate.toQueried(messages.readQueriedOrder(fixture('query-order')))
  assert.equal(report.status, 'partially_filled')
  assert.equal(report.timeUs, 1795392931500_000)
})

test('trades of the account become fills with side and liquidity', () => {
  const [bought, sold] = messages.readMyTrades(fixture('my-trades')).map(translate.toFill)
  assert.equal(bought?.side, 'buy')
  assert.equal(bought?.liquidity, 'taker')
  assert.equal(bought?.clientOrderId, undefined)
  assert.equal(sold?.side, 'sell')
  assert.equal(sold?.liquidity, 'maker')
  assert.equal(sold?.fee, parseUnits('0.455'))
})

test('a trade notice is a report and a fill', () => {
  const { report, fill } = translate.toNotice(messages.readExecutionReport(fixture('execution-report-trade')))
  assert.equal(report.status, 'partially_filled')
  assert.equal(report.quantity, parseUnits('0.02'))
  assert.equal(report.cumulativeQuantity, parseUnits('0.015'))
  assert.equal(report.reason, undefined)
  assert.equal(fill?.tradeId, '56')
  assert.equal(fill?.quantity, parseUnits('0.01'))
  assert.equal(fill?.cumulativeQuantity, parseUnits('0.015'))
  assert.equal(fill?.liquidity, 'maker')
})

test('a cancel notice names the order that ended, and is no fill', () => {
  const { report, fill } = translate.toNotice(messages.readExecutionReport(fixture('execution-report-cancelled')))
  assert.equal(report.clientOrderId, 'order-1')
  assert.equal(report.status, 'cancelled')
  assert.equal(fill, undefined)
})

test('changed balances keep free and locked apart', () => {
  const { balances, timeUs } = translate.toBalances(messages.readAccountPosition(fixture('outbound-account-position')))
  assert.deepEqual(balances[1], { currency: 'USDT', free: parseUnits('100'), locked: parseUnits('5.5') })
  assert.equal(timeUs, 1795392931010_000)
})

test('kline rows and closed kline events of one minute are the same bar', () => {
  const row = messages.readKlines(fixture('klines'))[0]!
  const event = messages.readKlineEvent(fixture('kline-event-closed'))
  const bar = translate.toBar(BTCUSDT, '1m', row)
  assert.deepEqual(bar, translate.toStreamedBar(BTCUSDT, event))
  assert.deepEqual(bar, {
    instrument: 'BINANCE:BTCUSDT',
    timeframe: '1m',
    openTimeUs: 1795392840000_000,
    closeTimeUs: 1795392899999_000,
    open: 90000,
    high: 90010.5,
    low: 89990,
    close: 90005,
    volume: 12.5,
    final: true,
    revision: 0,
    source: 'binance',
  })
})

test('a trade is the same whether it was streamed or asked for, and its aggressor is the side that took', () => {
  const [frame, second] = fixture('trade-events') as object[]
  const streamed = translate.toStreamedTrade(BTCUSDT, messages.readTradeEvent(frame))
  const asked = messages.readPublicTrades(fixture('historical-trades')).map((row) => translate.toTrade(BTCUSDT, row))
  assert.deepEqual(streamed, {
    instrument: 'BINANCE:BTCUSDT',
    tradeId: '3735683259',
    timeUs: 1723161255342_000,
    price: 61837.63,
    quantity: 0.02,
    aggressor: 'sell',
  })
  assert.deepEqual(asked[0], streamed)
  assert.equal(asked.length, 3)
  assert.equal(translate.toStreamedTrade(BTCUSDT, messages.readTradeEvent({ ...second, m: false })).aggressor, 'buy')
  assert.throws(() => messages.readTradeEvent({ ...frame, p: 'NaN' }), { name: 'PayloadError', message: /^trade\/p/ })
})

test('an instrument takes its steps and bounds from the filters, and 0 where there is none', () => {
  const [btc, old] = messages.readExchangeInfo(fixture('exchange-info')).symbols.slice(0, 2).map(translate.toInstrument)
  assert.deepEqual(btc, {
    id: 'BINANCE:BTCUSDT',
    symbol: 'BTCUSDT',
    baseCurrency: 'BTC',
    quoteCurrency: 'USDT',
    tickSize: parseUnits('0.01'),
    lotSize: parseUnits('0.00001'),
    quantityMin: parseUnits('0.00001'),
    quantityMax: parseUnits('9000'),
    marketQuantityMax: parseUnits('100'),
    notionalMin: parseUnits('5'),
    notionalMax: parseUnits('9000000'),
    tradable: true,
  })
  assert.equal(old?.tradable, false)
  assert.equal(old?.notionalMin, parseUnits('0.0001'))
  assert.equal(old?.notionalMax, 0n)
})

const intent = {
  clientOrderId: 'order-1' as ClientOrderId,
  instrument: BTCUSDT,
  side: 'buy',
  intentTimeUs: 0,
  sendBeforeUs: 0,
} as const
const PLACE_CASES: readonly (readonly [string, PlaceOrderIntent, string])[] = [
  [
    'market by base',
    { ...intent, type: 'market', quantity: parseUnits('0.00001') },
    'symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.00001',
  ],
  [
    'market by quote',
    { ...intent, type: 'market', quoteQuantity: parseUnits('100') },
    'symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=100',
  ],
  [
    'limit ioc',
    { ...intent, type: 'limit', timeInForce: 'ioc', quantity: parseUnits('1'), limitPrice: parseUnits('0.1') },
    'symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=1&price=0.1',
  ],
  [
    'limit maker, without time in force',
    { ...intent, type: 'limit_maker', quantity: parseUnits('1'), limitPrice: parseUnits('2') },
    'symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=1&price=2',
  ],
]
for (const [name, order, expected] of PLACE_CASES) {
  test(`an order is said in the words of the venue: ${name}`, () => {
    const query = translate.toNewOrderParams(order).map((pair) => pair.join('='))
    assert.equal(query.join('&'), `${expected}&newClientOrderId=order-1&newOrderRespType=FULL`)
  })
}

const unreadable = (name: string, change: object, pattern: RegExp): void => {
  test(`an unreadable payload names what was expected and found: ${name}`, () => {
    const payload = { ...(fixture('new-order-full') as object), ...change }
    assert.throws(() => messages.readNewOrder(payload), { name: 'PayloadError', message: pattern })
  })
}
unreadable('missing', { executedQty: undefined }, /^new order\/executedQty: .*found nothing$/)
unreadable('a number for text', { executedQty: 1 }, /\/executedQty: Expected string, found 1$/)
unreadable('text that is no number', { executedQty: 'NaN' }, /\/executedQty: .*found "NaN"$/)
unreadable('an unknown status', { status: 'MAYBE' }, /\/status: .*found "MAYBE"$/)
