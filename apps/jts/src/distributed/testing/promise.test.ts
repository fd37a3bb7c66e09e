/** The check that stands behind every fault must itself find what is wrong. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountView } from '@jts/contracts/portfolio-api'
import { assertNeverTwice, differences, type Booked } from './promise.ts'
import type { VenueTruth } from './venue-truth.ts'

const booked: Booked = {
  requests: new Map([
    ['request-1', 'order-1'],
    ['request-2', 'order-2'],
  ]),
  fills: ['BTCUSDT/7', 'BTCUSDT/8'],
  foreign: [],
}
const venue: VenueTruth = {
  orders: [
    { orderId: 1, clientOrderId: 'request-1' },
    { orderId: 2, clientOrderId: 'request-2' },
  ],
  trades: [
    { id: 7, symbol: 'BTCUSDT' },
    { id: 8, symbol: 'BTCUSDT' },
  ],
  balances: new Map([
    ['USDT', '99000'],
    ['BTC', '0.01'],
  ]),
}
const account = {
  cash: [{ currency: 'USDT', amount: '99000' }],
  positions: [
    { instrument: 'BINANCE:BTCUSDT', quantity: '0.006' },
    { instrument: 'BINANCE:BTCUSDT', quantity: '0.004' },
  ],
} as AccountView

test('a fill that is made while one looks is booked, and is no difference', () => {
  const made = { id: 9, symbol: 'BTCUSDT' }
  const later = { ...booked, fills: [...booked.fills, 'BTCUSDT/9'] }
  assert.deepEqual(differences(later, venue, account, [...venue.trades, made]), [])
  assert.match(differences(later, venue, account).join(), /the venue knows nothing of fill BTCUSDT\/9/)
})

type Change = {
  readonly booked?: Partial<Booked>
  readonly venue?: Partial<VenueTruth>
  readonly account?: Partial<AccountView>
}
type Row = readonly [situation: string, change: Change, found: RegExp]

test('nothing is wrong where our records are those of the venue', () => {
  assertNeverTwice(booked, venue)
  assert.deepEqual(differences(booked, venue, account), [])
})

for (const [situation, change, found] of [
  ['a fill is not booked', { booked: { fills: ['BTCUSDT/7'] } }, /a fill is not booked: BTCUSDT\/8/],
  ['a fill is ours alone', { venue: { trades: [venue.trades[0]!] } }, /the venue knows nothing of fill BTCUSDT\/8/],
  [
    'an order is not ours',
    { venue: { orders: [...venue.orders, { orderId: 3, clientOrderId: 'stranger' }] } },
    /an order that we do not know: stranger/,
  ],
  ['cash differs', { venue: { balances: new Map([...venue.balances, ['USDT', '98999.99']]) } }, /USDT: ledger 99000/],
  ['a currency is not ours', { venue: { balances: new Map([...venue.balances, ['ETH', '1']]) } }, /ETH: ledger 0/],
  ['a position differs', { account: { positions: [] } }, /BTC: ledger 0, venue 0.01/],
] satisfies readonly Row[] as readonly Row[]) {
  test(`${situation}: told as a difference`, () => {
    const list = differences(
      { ...booked, ...change.booked },
      { ...venue, ...change.venue },
      { ...account, ...change.account },
    )
    assert.match(list.join(), found)
  })
}

for (const [situation, change, found] of [
  ['a fill is booked twice', { booked: { fills: [...booked.fills, 'BTCUSDT/7'] } }, /booked twice/],
  ['a fill is foreign', { booked: { foreign: ['BINANCE:main:BTCUSDT:9'] } }, /nobody here has made/],
  [
    'a request reached the venue twice',
    { venue: { orders: [...venue.orders, { orderId: 3, clientOrderId: 'request-1' }] } },
    /reached the venue twice/,
  ],
  [
    'an order has two orders at the venue',
    { booked: { requests: new Map([...booked.requests, ['request-2', 'order-1']]) } },
    /two orders at the venue/,
  ],
] satisfies readonly Row[] as readonly Row[]) {
  test(`${situation}: wrong at once`, () => {
    assert.throws(() => assertNeverTwice({ ...booked, ...change.booked }, { ...venue, ...change.venue }), found)
  })
}
