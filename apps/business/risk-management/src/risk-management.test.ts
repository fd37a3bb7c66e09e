/** Risk management as a service: what it answers, what it reserves, and what it still knows after a restart. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { RpcError, type NewEvent } from '@jts/contracts'
import type { PositionSizeRequest, RiskCheckRequest } from '@jts/contracts/risk-api'
import { accountId, parseUnits, shippedInstrument, type RiskLimits } from '@jts/model'
import { Harness, START_US } from '@jts/testkit/harness'
import {
  balanceAdjusted,
  candle,
  foreignFill,
  openingBalance,
  orderEnded,
  orderFilled,
  publicTrade,
  topicOf,
} from '@jts/testkit/order-events'
import { answers } from './adapters/tables.ts'
import { createRiskManagement, type RiskManagement } from './index.ts'

const ACCOUNT = 'sim.binance.main'
const BTC = 'BINANCE:BTCUSDT'
const said = { account: ACCOUNT, instrument: BTC }
const open: Harness[] = []

class World {
  harness = Harness.open()
  risk!: RiskManagement
  readonly #limits: RiskLimits

  constructor(limits: RiskLimits) {
    this.#limits = limits
  }

  async start(): Promise<this> {
    open.push(this.harness)
    const { store, bus, marketClock, log } = this.harness
    this.risk = createRiskManagement({
      store,
      bus,
      marketClock,
      log,
      limits: this.#limits,
      instruments: [shippedInstrument(BTC), shippedInstrument('BINANCE:ETHUSDT')],
      marketTopics: ['market-data.binance.candles', 'market-data.binance.trades'],
      approvalValidUs: 10_000_000,
    })
    await this.risk.start()
    await bus.start()
    await this.harness.run()
    return this
  }

  async restart(): Promise<void> {
    await this.harness.run()
    this.harness = this.harness.killed()
    await this.start()
  }

  async hear(...events: NewEvent[]): Promise<void> {
    for (const event of events) {
      this.harness.store.transact((turn) => turn.publish(topicOf(event), event))
    }
    await this.harness.run()
  }

  ask(changes: Partial<RiskCheckRequest> = {}) {
    return this.risk.api.checkTradingRisk(request(changes))
  }

  /** What may still be bought at 100 with nothing added for the collar. */
  async buysAll(quantityText: string, signalId: string): Promise<boolean> {
    return (await this.ask({ signalId, quantityText, orderType: 'limit', limitPrice: '100' })).approved
  }
}

async function world(limits: RiskLimits = {}): Promise<World> {
  const made = await new World(limits).start()
  await made.hear(openingBalance(ACCOUNT, { USDT: '1000' }), candle(BTC, START_US, 100))
  return made
}

afterEach(async () => {
  for (const harness of open.splice(0)) {
    assert.deepEqual(harness.poison, [])
    await harness.remove()
  }
})

function request(changes: Partial<RiskCheckRequest> = {}): RiskCheckRequest {
  return {
    correlationId: 'c-1',
    symbol: BTC,
    quantity: 0,
    price: 0,
    side: 'buy',
    currentPortfolio: undefined,
    account: ACCOUNT,
    strategy: 'one',
    signalId: 's1',
    orderType: 'market',
    timeInForce: '',
    quantityText: '1',
    priceText: '100',
    quoteQuantity: '',
    limitPrice: '',
    signalTimeUs: START_US,
    causationId: '',
    ...changes,
  }
}

it('approves, reserves, books fills and frees what is left: the story of one order', async () => {
  const w = await world()
  const answer = await w.ask({ quantityText: '4' })
  assert.equal(answer.approved, true)
  assert.equal(answer.adjustedQuantityText, '4')
  assert.equal(answer.validUntilUs, START_US + 10_000_000)
  // 4 at 101 at worst are reserved: 596 are left.
  assert.equal(await w.buysAll('6', 'x1'), false)
  await w.hear(orderFilled({ ...said, quantity: '2', price: '100', leaves: '2' }))
  // 800 in cash, 202 still reserved.
  assert.equal(await w.buysAll('6', 'x2'), false)
  await w.hear(orderEnded(said, 'OrderCancelled'))
  assert.equal(await w.buysAll('8', 'x3'), true)
  assert.equal((await w.ask({ signalId: 's2', side: 'sell', quantityText: '2' })).approved, true)
  assert.equal((await w.ask({ signalId: 's3', side: 'sell', quantityText: '0.5' })).denialCode, 'INSUFFICIENT_POSITION')
})

describe('a signal', () => {
  it('that is asked about again is answered the same and reserved once, also after a restart', async () => {
    const w = await world()
    const first = await w.ask({ quantityText: '5' })
    await w.harness.run(5000)
    assert.deepEqual(await w.ask({ quantityText: '5' }), first)
    await w.restart()
    assert.deepEqual(await w.ask({ quantityText: '5' }), first)
    assert.equal(await w.buysAll('4.9', 'x1'), true)
  })

  it('that was denied stays denied, although it would be approved by now', async () => {
    const w = await world()
    const first = await w.ask({ quantityText: '50' })
    assert.equal(first.denialCode, 'INSUFFICIENT_CASH')
    await w.hear(openingBalance(ACCOUNT, { USDT: '100000' }))
    assert.deepEqual(await w.ask({ quantityText: '50' }), first)
  })

  it('that comes again with other content is refused', async () => {
    const w = await world()
    await w.ask()
    await assert.rejects(w.ask({ quantityText: '2' }), { code: 'ALREADY_EXISTS' })
    await w.restart()
    await assert.rejects(w.ask({ quantityText: '2' }), { code: 'ALREADY_EXISTS' })
  })

  it('that was answered last is remembered after a restart, however many answers there are', async () => {
    const w = await world()
    const first = await w.ask({ signalId: '-the-last', quantityText: '5' })
    w.harness.store.transact((turn) => {
      for (let n = 0; n < 5000; n++) turn.put(answers, { signal_id: `old${n}`, intent: '', response: '{}', time_us: n })
    })
    await w.restart()
    await w.harness.run(5000)
    assert.deepEqual(await w.ask({ signalId: '-the-last', quantityText: '5' }), first)
  })
})

describe('a reservation', () => {
  for (const end of ['OrderDenied', 'OrderRejected', 'OrderCancelled', 'OrderExpired', 'SignalExpired'] as const) {
    it(`is freed by ${end}`, async () => {
      const w = await world()
      await w.ask({ quantityText: '9' })
      assert.equal(await w.buysAll('5', 'x1'), false)
      await w.hear(orderEnded(said, end))
      assert.equal(await w.buysAll('10', 'x2'), true)
    })
  }

  it('is not freed by time, nor by a restart', async () => {
    const w = await world()
    await w.ask({ quantityText: '9' })
    await w.harness.run(3_600_000)
    await w.restart()
    assert.equal(await w.buysAll('5', 'x1'), false)
  })
})

describe('a denial', () => {
  const limits: RiskLimits = { notionalMaxPerOrder: parseUnits('500'), signalAgeMaxUs: 5_000_000 }
  const cases: [Partial<RiskCheckRequest>, string][] = [
    [{ quantityText: '50', orderType: 'limit', limitPrice: '100' }, 'NOTIONAL_MAX_PER_ORDER'],
    [{ quantityText: '0.000001' }, 'LOT_SIZE'],
    [{ quantityText: '0.00001' }, 'NOTIONAL_MIN'],
    [{ orderType: 'limit', limitPrice: '100.001' }, 'TICK_SIZE'],
    [{ side: 'sell' }, 'INSUFFICIENT_POSITION'],
    [{ signalTimeUs: START_US - 60_000_000 }, 'STALE_SIGNAL'],
    [{ symbol: 'BINANCE:ETHUSDT', priceText: '' }, 'NO_MARKET_PRICE'],
    [{ account: 'sim.binance.empty' }, 'INSUFFICIENT_CASH'],
  ]
  for (const [changes, code] of cases) {
    it(`with ${code} names what was expected and found: ${JSON.stringify(changes)}`, async () => {
      const w = await world(limits)
      const answer = await w.ask(changes)
      assert.equal(answer.denialCode, code)
      assert.equal(answer.validUntilUs, 0)
      assert.match(answer.rejectionReason, /^expected .* found /)
    })
  }

  it('follows a halt of the account, also after a restart', async () => {
    const w = await world()
    const state = { scope: 'account', strategy: '', state: 'halted', version: 1, reason: '', by: '', reasonCode: '' }
    const about = { stream: ACCOUNT, account: ACCOUNT, correlationId: '', causationId: '', timeEventUs: 1 }
    await w.hear({ ...about, type: 'TradingStateChanged', payload: state })
    assert.equal((await w.ask()).denialCode, 'TRADING_HALTED')
    await w.restart()
    assert.equal((await w.ask({ signalId: 's2' })).denialCode, 'TRADING_HALTED')
  })
})

describe('a halt of one strategy', () => {
  const say = (w: World, name: string, state: string, account = ACCOUNT): Promise<unknown> => {
    const payload = { scope: 'strategy', strategy: name, state, version: 1, reason: '', by: '', reasonCode: '' }
    const about = { stream: account, account, correlationId: '', causationId: '', timeEventUs: 1 }
    return w.hear({ ...about, type: 'TradingStateChanged', payload })
  }
  const code = async (w: World, signalId: string, strategy = 'one', side = 'buy'): Promise<string> =>
    (await w.ask({ signalId, strategy, side })).denialCode

  it('denies its signals by name, over a restart, until it is resumed; another strategy goes on', async () => {
    const w = await world()
    await say(w, 'one', 'halted')
    assert.deepEqual([await code(w, 's1'), await code(w, 's2', 'two')], ['STRATEGY_HALTED', ''])
    await w.restart()
    assert.equal(await code(w, 's3', 'one', 'sell'), 'STRATEGY_HALTED')
    await say(w, 'one', 'reducing')
    assert.deepEqual(
      [await code(w, 's4'), await code(w, 's5', 'one', 'sell')],
      ['STRATEGY_REDUCING', 'INSUFFICIENT_POSITION'],
    )
    await say(w, 'one', 'active')
    assert.equal(await code(w, 's6'), '')
  })

  it('holds also where the strategy has been given another account since', async () => {
    const w = await world()
    await say(w, 'one', 'halted', accountId('sim.binance.former'))
    assert.equal(await code(w, 's1'), 'STRATEGY_HALTED')
  })
})

describe('a malformed request is refused with the field that is wrong', () => {
  const advisory = { account: '', orderType: '', currentPortfolio: { cash: 100, cashText: '', positions: [] } }
  const position = { symbol: BTC, quantity: 1, averagePrice: 1, quantityText: '' }
  const holding = (changes: object) => ({
    ...advisory,
    currentPortfolio: { cash: 100, cashText: '', positions: [{ ...position, ...changes }] },
  })
  const cases: [Partial<RiskCheckRequest>, string][] = [
    [{ correlationId: '' }, 'correlation_id'],
    [{ symbol: '' }, 'symbol'],
    [{ symbol: 'BINANCE:NONE' }, 'symbol'],
    [{ side: 'hold' }, 'side'],
    [{ quantityText: '' }, 'quantity'],
    [{ quantityText: '-1' }, 'quantity'],
    [{ quantityText: '1,5' }, 'quantity'],
    [{ quantityText: '0.000000001' }, 'quantity'],
    [{ quantityText: '', quantity: NaN }, 'quantity'],
    [{ quoteQuantity: '10' }, 'quantity'],
    [{ priceText: 'ten' }, 'price'],
    [{ orderType: 'stop' }, 'order_type'],
    [{ timeInForce: 'day' }, 'time_in_force'],
    [{ limitPrice: '0' }, 'limit_price'],
    [{ signalId: '' }, 'signal_id'],
    [{ account: 'nobody' }, 'account'],
    [{ ...advisory, priceText: '' }, 'price'],
    [{ ...advisory, currentPortfolio: undefined }, 'current_portfolio'],
    [{ ...advisory, currentPortfolio: { cash: -1, cashText: '', positions: [] } }, 'current_portfolio.cash'],
    [holding({ symbol: '' }), 'current_portfolio.positions[0].symbol'],
    [holding({ quantity: Infinity }), 'current_portfolio.positions[0].quantity'],
    [holding({ quantityText: 'one' }), 'current_portfolio.positions[0].quantity'],
  ]
  for (const [changes, field] of cases) {
    it(`${field}: ${JSON.stringify(changes)}`, async () => {
      const w = await world()
      await assert.rejects(w.ask(changes), (error: unknown) => {
        assert.ok(error instanceof RpcError, String(error))
        assert.ok(['INVALID_ARGUMENT', 'NOT_FOUND'].includes(error.code))
        assert.ok(error.message.includes(field.split('.')[0]!) && error.message.includes('expected'), error.message)
        return true
      })
    })
  }
})

describe('a size', () => {
  const sized = (changes: Partial<PositionSizeRequest>): PositionSizeRequest => ({
    correlationId: 'c',
    symbol: BTC,
    price: 100,
    side: 'buy',
    currentPortfolio: undefined,
    account: ACCOUNT,
    strategy: '',
    method: '',
    quantity: 0,
    percent: 0,
    atr: 0,
    ...changes,
  })
  const cases: [string, Partial<PositionSizeRequest>, string, RegExp][] = [
    ['fixed', { method: 'fixed', quantity: 1.234567 }, '1.23456', /^$/],
    ['percent of equity', { percent: 25 }, '2.5', /^$/],
    ['volatility', { method: 'volatility', percent: 1, atr: 5 }, '2', /^$/],
    ['above the cash', { method: 'fixed', quantity: 50 }, '10', /capped by the cash at hand: 1000 USDT/],
    ['below one lot', { method: 'fixed', quantity: 0.000001 }, '0', /less than one lot/],
  ]
  for (const [name, changes, quantity, reason] of cases) {
    it(`by ${name} is ${quantity}`, async () => {
      const w = await world()
      const answer = await w.risk.api.calculatePositionSize(sized(changes))
      assert.equal(answer.quantityText, quantity)
      assert.match(answer.reason, reason)
    })
  }

  it('leaves out what is reserved', async () => {
    const w = await world()
    await w.ask({ quantityText: '4', orderType: 'limit', limitPrice: '100' })
    const { quantityText } = await w.risk.api.calculatePositionSize(sized({ method: 'fixed', quantity: 50 }))
    assert.equal(quantityText, '6')
  })

  for (const changes of [{ method: 'luck' }, { price: 0 }, { percent: NaN }, { account: 'nobody' }, { symbol: '' }]) {
    it(`of a malformed request is refused: ${JSON.stringify(changes)}`, async () => {
      const w = await world()
      await assert.rejects(w.risk.api.calculatePositionSize(sized(changes)), { code: 'INVALID_ARGUMENT' })
    })
  }
})

it('judges a market order by the last trade as by the last close', async () => {
  const w = await world({ notionalMaxPerOrder: parseUnits('1000') })
  const ask = (signalId: string) => w.ask({ signalId, quantityText: '9', orderType: 'market', limitPrice: '' })
  assert.equal((await ask('before')).denialCode, '')
  await w.hear(orderEnded({ ...said, signalId: 'before' }, 'OrderExpired'))
  await w.hear(publicTrade(BTC, 1, 120, START_US + 1))
  assert.equal((await ask('after')).denialCode, 'NOTIONAL_MAX_PER_ORDER')
  await w.restart()
  assert.equal((await ask('restarted')).denialCode, 'NOTIONAL_MAX_PER_ORDER')
})

it('takes a candle that is collected afterwards for history, not for the price of now', async () => {
  const w = await world({ notionalMaxPerOrder: parseUnits('1000') })
  const ask = (signalId: string) => w.ask({ signalId, quantityText: '9', orderType: 'market', limitPrice: '' })
  await w.hear(publicTrade(BTC, 1, 120, START_US + 1), candle(BTC, START_US - 86_400_000_000, 50))
  assert.equal((await ask('after')).denialCode, 'NOTIONAL_MAX_PER_ORDER')
})

it('refuses the same order again within the window, also after a restart', async () => {
  const w = await world({ duplicateWindowUs: 60_000_000 })
  assert.equal((await w.ask({ signalId: 'first' })).approved, true)
  assert.equal((await w.ask({ signalId: 'denied', quantityText: '50' })).denialCode, 'INSUFFICIENT_CASH')
  await w.restart()
  const again = { signalTimeUs: 0 }
  assert.equal((await w.ask({ ...again, signalId: 'second' })).denialCode, 'DUPLICATE_ORDER')
  assert.equal((await w.ask({ ...again, signalId: 'other', quantityText: '2' })).approved, true)
  await w.harness.run(61_000)
  await w.restart()
  assert.equal((await w.ask({ ...again, signalId: 'third' })).approved, true, 'the window is over')
})

it('books what a person has traded in an instrument of which nothing is known, and goes on', async () => {
  const w = await world()
  await w.hear(foreignFill(ACCOUNT, 'BINANCE:FOOBARBAZ', '3', '7'))
  await w.hear(orderFilled({ account: ACCOUNT, instrument: 'BINANCE:QUXQUUX', quantity: '1', price: '5' }))
  assert.equal(await w.buysAll('10', 'x1'), true, 'its cash has not moved')
  await w.restart()
  await w.hear(foreignFill(ACCOUNT, 'BINANCE:FOOBARBAZ', '1', '7'))
  assert.equal(await w.buysAll('10.1', 'x2'), false)
})

describe('a confirmed difference from the broker', () => {
  const reported = (...currencies: string[]): NewEvent => ({
    stream: ACCOUNT,
    account: ACCOUNT,
    correlationId: '',
    causationId: '',
    timeEventUs: 1,
    type: 'ReconciliationReported',
    payload: {
      equal: currencies.length === 0,
      differences: currencies.map((currency) => ({ currency, ours: '2', venue: '1' })),
      fillCount: 1,
    },
  })
  const resumed: NewEvent = {
    stream: ACCOUNT,
    account: ACCOUNT,
    correlationId: '',
    causationId: '',
    timeEventUs: 1,
    type: 'TradingStateChanged',
    payload: { scope: 'whole', strategy: '', state: 'active', version: 1, reason: '', by: 'person', reasonCode: '' },
  }
  const ETH = 'BINANCE:ETHUSDT'
  const buyEth = { symbol: ETH, quantityText: '0.1', priceText: '100', orderType: 'limit', limitPrice: '100' }
  let asked = 0

  /** The denial codes of a buy of BTC and one of ETH; empty when it is approved. */
  async function buys(w: World): Promise<string[]> {
    const btc = await w.ask({ signalId: `b${++asked}`, quantityText: '0.1' })
    const eth = await w.ask({ ...buyEth, signalId: `e${++asked}` })
    return [btc.denialCode, eth.denialCode]
  }

  const cases: [string, string[], [string, string]][] = [
    ['of a base currency holds its instrument', ['BTC'], ['RECONCILIATION_DIFFERENCE', '']],
    ['of cash holds the account', ['USDT'], ['RECONCILIATION_DIFFERENCE', 'RECONCILIATION_DIFFERENCE']],
    [
      'of a currency of no instrument holds the account',
      ['BNB'],
      ['RECONCILIATION_DIFFERENCE', 'RECONCILIATION_DIFFERENCE'],
    ],
    ['of two bases holds both', ['BTC', 'ETH'], ['RECONCILIATION_DIFFERENCE', 'RECONCILIATION_DIFFERENCE']],
  ]
  for (const [name, currencies, expected] of cases) {
    it(`${name}, over a restart, until the records agree again; reducing orders pass`, async () => {
      const w = await world()
      await w.hear(orderFilled({ ...said, quantity: '2', price: '100' }), reported(...currencies))
      assert.deepEqual(await buys(w), expected)
      await w.restart()
      assert.deepEqual(await buys(w), expected)
      assert.equal((await w.ask({ signalId: `s${++asked}`, side: 'sell', quantityText: '0.1' })).approved, true)
      await w.hear(reported())
      assert.deepEqual(await buys(w), ['', ''])
    })
  }

  it('is accepted by a person who resumes everything, as it stands and over a restart; another one is not', async () => {
    const w = await world()
    await w.hear(reported('BTC'), resumed)
    assert.deepEqual(await buys(w), ['', ''])
    await w.restart()
    await w.hear(reported('BTC'))
    assert.deepEqual(await buys(w), ['', ''])
    await w.hear(reported('BTC', 'ETH'))
    assert.deepEqual(await buys(w), ['RECONCILIATION_DIFFERENCE', 'RECONCILIATION_DIFFERENCE'])
    await w.hear(reported(), reported('BTC'))
    assert.deepEqual(await buys(w), ['RECONCILIATION_DIFFERENCE', ''], 'what was accepted had ended')
  })
})

it('counts the orders of a minute over a restart', async () => {
  const w = await world({ ordersPerMinuteMax: 2 })
  const ask = (signalId: string) => w.ask({ signalId, quantityText: '0.5', signalTimeUs: 0 })
  assert.deepEqual([(await ask('a')).approved, (await ask('b')).approved], [true, true])
  await w.restart()
  assert.equal((await ask('c')).denialCode, 'ORDER_RATE')
  await w.harness.run(61_000)
  assert.equal((await ask('d')).approved, true)
})

describe('money that moves without a trade', () => {
  it('can be spent or is gone, also after a restart', async () => {
    const w = await world()
    assert.equal(await w.buysAll('12', 'x1'), false)
    await w.hear(balanceAdjusted(ACCOUNT, 'USDT', '300'))
    await w.restart()
    await w.hear(balanceAdjusted(ACCOUNT, 'USDT', '-99'))
    assert.equal(await w.buysAll('12.02', 'x2'), false)
    assert.equal(await w.buysAll('12.01', 'x3'), true)
  })

  it('takes what was taken out of a position from what can be sold', async () => {
    const w = await world()
    await w.hear(orderFilled({ ...said, quantity: '2', price: '100' }), balanceAdjusted(ACCOUNT, 'BTC', '-0.5'))
    const sells = async (quantityText: string, signalId: string): Promise<boolean> =>
      (await w.ask({ side: 'sell', quantityText, signalId })).approved
    assert.equal(await sells('1.51', 'x1'), false)
    assert.equal(await sells('1.5', 'x2'), true)
  })
})
