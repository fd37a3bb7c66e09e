import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { shippedInstrument } from '@jts/model/instruments'
import { formatUnits, ONE, parseUnits } from '@jts/model/numbers'
import { Exchange, type ExchangeOptions } from './exchange.ts'
import { Faults } from './faults.ts'
import { isRefused, type Order, type OrderRequest } from './orders.ts'
import { Store } from './store.ts'

const BTC = shippedInstrument('BINANCE:BTCUSDT')
const FEE = parseUnits('0.001')

function exchangeWith(options: Partial<ExchangeOptions> = {}): Exchange {
  return new Exchange({
    store: new Store(':memory:'),
    instruments: [BTC],
    accounts: 1,
    deposits: [{ asset: 'USDT', amount: parseUnits('1000') }],
    feeRate: FEE,
    execution: 'next-event',
    ...options,
  })
}

type Wish = Partial<Record<'price' | 'quantity' | 'quoteQuantity', string>> & Partial<Pick<OrderRequest, 'clientId'>>
function request(
  side: 'buy' | 'sell',
  kind: OrderRequest['kind'],
  wish: Wish,
  timeInForce: OrderRequest['timeInForce'] = 'gtc',
): OrderRequest {
  return {
    symbol: 'BTCUSDT',
    side,
    kind,
    timeInForce,
    price: parseUnits(wish.price ?? '0'),
    quantity: parseUnits(wish.quantity ?? '0'),
    quoteQuantity: parseUnits(wish.quoteQuantity ?? '0'),
    ...(wish.clientId === undefined ? {} : { clientId: wish.clientId }),
  }
}

function placed(exchange: Exchange, wanted: OrderRequest, account = 0): Order {
  const order = exchange.place(account, wanted)
  if (isRefused(order)) throw new Error(order.refused)
  return order
}

function balances(exchange: Exchange, account = 0): Record<string, string> {
  return Object.fromEntries(
    exchange.balances(account).map(({ asset, free, locked }) => [asset, `${formatUnits(free)}+${formatUnits(locked)}`]),
  )
}

/** Releases a bar as a replay does: three phases, one position each. */
function bar(exchange: Exchange, at: number, open: number, high: number, low: number, close: number): void {
  exchange.position++
  exchange.onOpen('BTCUSDT', open, at)
  exchange.position++
  exchange.onRange('BTCUSDT', low, high, at + 59)
  exchange.position++
  exchange.onClose('BTCUSDT', close, at + 59)
}

test('a market buy waits for the next open, fills at it and pays its fee in the base currency', () => {
  const exchange = exchangeWith()
  bar(exchange, 0, 99, 101, 98, 100)
  const order = placed(exchange, request('buy', 'market', { quantity: '2' }))
  assert.equal(order.status, 'open')
  assert.deepEqual(balances(exchange), { USDT: '800+200', BTC: '0+0' })
  bar(exchange, 60, 110, 120, 90, 100)
  assert.equal(order.status, 'filled')
  assert.equal(order.updatedUs, 60)
  assert.deepEqual(balances(exchange), { USDT: '780+0', BTC: '1.998+0' })
  assert.deepEqual(
    exchange.commit().map(({ what }) => what),
    ['accepted', 'filled'],
  )
})

test('a market buy that the open makes too dear expires without a fill', () => {
  const exchange = exchangeWith()
  bar(exchange, 0, 99, 101, 98, 100)
  const order = placed(exchange, request('buy', 'market', { quantity: '10' }))
  bar(exchange, 60, 100.01, 101, 99, 100)
  assert.equal(order.status, 'expired')
  assert.deepEqual(balances(exchange), { USDT: '1000+0', BTC: '0+0' })
})

test('a buy by quote size takes the lots that its money buys', () => {
  const exchange = exchangeWith()
  bar(exchange, 0, 99, 101, 98, 100)
  const order = placed(exchange, request('buy', 'market', { quoteQuantity: '100' }))
  bar(exchange, 60, 30, 31, 29, 30)
  assert.equal(formatUnits(order.executed), '3.33333')
  assert.equal(formatUnits(order.cumulativeQuote), '99.9999')
})

test('a resting limit fills at its price when the range goes through it, but not in the bar it was placed in', () => {
  const exchange = exchangeWith()
  bar(exchange, 0, 99, 101, 98, 100)
  exchange.position++
  exchange.onOpen('BTCUSDT', 100, 60)
  const order = placed(exchange, request('buy', 'limit', { price: '95', quantity: '1' }))
  exchange.position++
  exchange.onRange('BTCUSDT', 90, 100, 119)
  assert.equal(order.status, 'open')
  bar(exchange, 120, 100, 101, 95, 100)
  assert.equal(order.status, 'open')
  bar(exchange, 180, 100, 101, 94.99, 100)
  assert.equal(order.status, 'filled')
  assert.equal(order.updatedUs, 180 + 59)
  assert.deepEqual(balances(exchange), { USDT: '905+0', BTC: '0.999+0' })
})

test('a resting limit that the market gaps over fills at the better open', () => {
  const exchange = exchangeWith()
  bar(exchange, 0, 99, 101, 98, 100)
  placed(exchange, request('buy', 'limit', { price: '95', quantity: '1' }))
  bar(exchange, 60, 90, 91, 89, 90)
  assert.deepEqual(balances(exchange), { USDT: '910+0', BTC: '0.999+0' })
})

test('IOC and FOK orders wait for the next open: filled at it wholly, or expired', () => {
  for (const timeInForce of ['ioc', 'fok'] as const) {
    const exchange = exchangeWith()
    bar(exchange, 0, 99, 101, 98, 100)
    const near = placed(exchange, request('buy', 'limit', { price: '100', quantity: '1' }, timeInForce))
    const late = placed(exchange, request('buy', 'limit', { price: '100', quantity: '1' }, timeInForce))
    assert.equal(near.status, 'open')
    bar(exchange, 60, 100, 101, 99, 100)
    assert.equal(near.status, 'filled')
    assert.equal(late.status, 'filled')
    const gapped = placed(exchange, request('buy', 'limit', { price: '100', quantity: '1' }, timeInForce))
    bar(exchange, 120, 100.01, 101, 99, 100)
    assert.equal(gapped.status, 'expired')
    assert.equal(gapped.updatedUs, 120)
    const far = placed(exchange, request('buy', 'limit', { price: '99.99', quantity: '1' }, timeInForce))
    assert.equal(far.status, 'open')
    bar(exchange, 180, 99, 101, 98, 100)
    assert.equal(far.status, 'filled')
    assert.equal(formatUnits(far.cumulativeQuote), '99')
  }
})

test('refuses what would overdraw, take as a maker, repeat an open client id or cancel the unknown', () => {
  const exchange = exchangeWith()
  bar(exchange, 0, 99, 101, 98, 100)
  placed(exchange, request('buy', 'limit', { price: '50', quantity: '1', clientId: 'a' }))
  const cases: [OrderRequest, string][] = [
    [request('buy', 'market', { quantity: '10' }), 'insufficient-balance'],
    [request('sell', 'market', { quantity: '1' }), 'insufficient-balance'],
    [request('buy', 'post-only', { price: '100', quantity: '1' }), 'would-take'],
    [request('buy', 'limit', { price: '60', quantity: '1', clientId: 'a' }), 'duplicate-client-id'],
  ]
  for (const [wanted, refused] of cases) assert.deepEqual(exchange.place(0, wanted), { refused })
  assert.deepEqual(exchange.cancel(0, 'BTCUSDT', { id: 7 }), { refused: 'unknown-order' })
  assert.ok(!isRefused(exchange.cancel(0, 'BTCUSDT', { clientId: 'a' })))
  assert.deepEqual(balances(exchange), { USDT: '1000+0', BTC: '0+0' })
  placed(exchange, request('buy', 'limit', { price: '60', quantity: '1', clientId: 'a' }))
})

test('waiting orders of several accounts execute by account and order number, whoever came first', () => {
  const exchange = exchangeWith({ accounts: 3 })
  bar(exchange, 0, 99, 101, 98, 100)
  for (const account of [2, 0, 1, 0]) placed(exchange, request('buy', 'market', { quantity: '1' }), account)
  exchange.commit()
  bar(exchange, 60, 100, 101, 99, 100)
  const fills = exchange.commit().map(({ fill }) => `${fill?.account}/${fill?.orderId}/${fill?.id}`)
  assert.deepEqual(fills, ['0/1/1', '0/2/2', '1/1/3', '2/1/4'])
})

test('continuous trading fills a market order at once and a resting limit when a trade goes through it', () => {
  const exchange = exchangeWith({ execution: 'at-once', slippageBps: 10 })
  exchange.onTrade('BTCUSDT', 100, 1)
  const market = placed(exchange, request('buy', 'market', { quantity: '1' }))
  assert.equal(formatUnits(market.cumulativeQuote), '100.1')
  const limit = placed(exchange, request('buy', 'limit', { price: '90', quantity: '1' }))
  exchange.onTrade('BTCUSDT', 90, 2)
  assert.equal(limit.status, 'open')
  exchange.onTrade('BTCUSDT', 89, 3)
  assert.equal(formatUnits(limit.cumulativeQuote), '90')
})

test('the fault balance-fee charges another rate than it reports', () => {
  const exchange = exchangeWith({ execution: 'at-once', faults: new Faults(['balance-fee=0.0011']) })
  exchange.onTrade('BTCUSDT', 100, 1)
  placed(exchange, request('buy', 'market', { quantity: '1' }))
  assert.equal(formatUnits(exchange.commit()[1]!.fill!.commission), '0.001')
  assert.equal(balances(exchange)['BTC'], '0.9989+0')
})

test('the fault phantom-fill moves the balances once more and shows no trade', () => {
  const exchange = exchangeWith({ execution: 'at-once', faults: new Faults(['phantom-fill=2']) })
  exchange.onTrade('BTCUSDT', 100, 1)
  placed(exchange, request('buy', 'market', { quantity: '1' }))
  assert.deepEqual(balances(exchange), { USDT: '900+0', BTC: '0.999+0' })
  placed(exchange, request('buy', 'market', { quantity: '1' }))
  assert.deepEqual(balances(exchange), { USDT: '700+0', BTC: '2.997+0' })
  exchange.commit()
  assert.equal(exchange.fills(0, 'BTCUSDT', { limit: 10 }).length, 2)
})

test('a restart finds balances, orders, fills and numbers as they were', () => {
  const directory = mkdtempSync(join(tmpdir(), 'exchange-'))
  const first = exchangeWith({ store: new Store(directory) })
  bar(first, 0, 99, 101, 98, 100)
  placed(first, request('buy', 'market', { quantity: '1' }))
  const resting = placed(first, request('buy', 'limit', { price: '90', quantity: '1', clientId: 'rest' }))
  bar(first, 60, 100, 101, 99, 100)
  first.commit({ position: 6, timeUs: 119 })
  const store = new Store(directory)
  const second = exchangeWith({ store })
  assert.deepEqual(store.position(), { position: 6, timeUs: 119 })
  assert.deepEqual(second.balances(0), first.balances(0))
  assert.deepEqual(second.openOrders(0), [resting])
  assert.deepEqual(second.fills(0, 'BTCUSDT', { limit: 10 }), first.fills(0, 'BTCUSDT', { limit: 10 }))
  assert.equal(placed(second, request('buy', 'limit', { price: '91', quantity: '1' })).id, 3)
})

test('whatever is traded, balances are the deposits moved by fills and fees, and never below zero', () => {
  const amount = fc.integer({ min: 1, max: 400_000 }).map((lots) => BigInt(lots) * BTC.lotSize)
  const price = fc.integer({ min: 5_000, max: 15_000 }).map((ticks) => BigInt(ticks) * BTC.tickSize)
  const wish = fc.record({
    account: fc.nat(1),
    side: fc.constantFrom('buy' as const, 'sell' as const),
    kind: fc.constantFrom('market' as const, 'limit' as const, 'post-only' as const),
    timeInForce: fc.constantFrom('gtc' as const, 'ioc' as const, 'fok' as const),
    price,
    quantity: amount,
    byQuote: fc.boolean(),
  })
  const barOf = fc.array(fc.integer({ min: 5_000, max: 15_000 }), { minLength: 4, maxLength: 4 })
  const step = fc.record({ wishes: fc.array(wish, { maxLength: 3 }), cancel: fc.nat(20), bar: barOf })
  const run = fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 15 }), slippageBps: fc.nat(50) })
  fc.assert(
    fc.property(
      run,
      fc.constantFrom('next-event' as const, 'at-once' as const),
      ({ steps, slippageBps }, execution) => {
        const exchange = exchangeWith({ accounts: 2, slippageBps, execution })
        let at = 0
        for (const { wishes, cancel, bar: prices } of steps) {
          for (const { account, byQuote, ...wanted } of wishes) {
            const isByQuote = byQuote && wanted.kind === 'market'
            exchange.place(account, {
              ...wanted,
              symbol: 'BTCUSDT',
              timeInForce: wanted.kind === 'limit' ? wanted.timeInForce : 'gtc',
              price: wanted.kind === 'market' ? 0n : wanted.price,
              quantity: isByQuote ? 0n : wanted.quantity,
              quoteQuantity: isByQuote ? wanted.quantity * 100n : 0n,
            })
          }
          exchange.cancel(cancel % 2, 'BTCUSDT', { id: cancel })
          const [open, close, a, b] = prices.map((ticks) => ticks / 100) as [number, number, number, number]
          bar(exchange, (at += 60), open, Math.max(open, close, a, b), Math.min(open, close, a, b), close)
          exchange.commit()
          for (const account of [0, 1]) checkAccount(exchange, account)
        }
      },
    ),
    { numRuns: 150 },
  )
})

function checkAccount(exchange: Exchange, account: number): void {
  let quote = parseUnits('1000')
  let base = 0n
  for (const fill of exchange.fills(account, 'BTCUSDT', { limit: 1000 })) {
    assert.equal(fill.quote, (fill.price * fill.quantity) / ONE)
    assert.equal(fill.commission, ((fill.side === 'buy' ? fill.quantity : fill.quote) * FEE) / ONE)
    quote += fill.side === 'buy' ? -fill.quote : fill.quote - fill.commission
    base += fill.side === 'buy' ? fill.quantity - fill.commission : -fill.quantity
  }
  const open = exchange.openOrders(account)
  const lockedBy = (side: string) =>
    open.filter((order) => order.side === side).reduce((sum, order) => sum + order.locked, 0n)
  const [usdt, btc] = ['USDT', 'BTC'].map((asset) => exchange.balances(account).find((one) => one.asset === asset)!)
  assert.equal(usdt!.free + usdt!.locked, quote)
  assert.equal(btc!.free + btc!.locked, base)
  assert.equal(usdt!.locked, lockedBy('buy'))
  assert.equal(btc!.locked, lockedBy('sell'))
  for (const { free, locked } of [usdt!, btc!]) assert.ok(free >= 0n && locked >= 0n)
}
