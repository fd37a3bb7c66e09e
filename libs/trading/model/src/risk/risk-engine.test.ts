import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { accountId, instrumentId, strategyInstanceId, type OrderId, type SignalId } from '../ids.ts'
import { shippedInstrument, type Instrument } from '../instruments.ts'
import { formatUnits, parseUnits } from '../numbers.ts'
import type { Hold } from './holds.ts'
import { RISK_RULES } from './rules.ts'
import { RiskEngine, type RiskEnginePlain } from './risk-engine.ts'
import type { DenialCode, RiskIntent, RiskLimits } from './risk-types.ts'

const instrument = shippedInstrument('BINANCE:BTCUSDT')
const account = accountId('sim.binance.main')
const strategy = strategyInstanceId('one')
const SECOND = 1_000_000
let signals = 0

function intent(changes: Partial<RiskIntent> = {}): RiskIntent {
  return {
    signalId: `s${++signals}` as SignalId,
    account,
    strategy,
    instrument: instrument.id,
    side: 'buy',
    type: 'market',
    quantity: parseUnits('0.01'),
    timeInForce: 'gtc',
    signalTimeUs: 100 * SECOND,
    ...changes,
  }
}

function engineWith(limits: RiskLimits = {}, filters: Partial<Instrument> = {}): RiskEngine {
  const engine = new RiskEngine(limits)
  engine.setInstrument({ ...instrument, ...filters })
  engine.setCash(account, 'USDT', parseUnits('100000'))
  engine.ledger(account).position(strategy, instrument.id).quantity = parseUnits('0.5')
  engine.mark(instrument.id, 60_000, 100 * SECOND)
  return engine
}

const hold = (): Hold => ({
  account,
  cause: 'heartbeat of order-execution',
  code: 'HEARTBEAT_MISSING',
  reason: 'expected a heartbeat, found silence',
  liftedBy: 'machine',
})
const limit = (price: string, quantity = '0.01'): Partial<RiskIntent> => ({
  type: 'limit',
  limitPrice: parseUnits(price),
  quantity: parseUnits(quantity),
})
const size = (quantity: string): Partial<RiskIntent> => ({ quantity: parseUnits(quantity) })
const NOW = 100 * SECOND

describe('risk', () => {
  const cases: {
    name: string
    limits?: RiskLimits
    filters?: Partial<Instrument>
    intent?: Partial<RiskIntent>
    nowUs?: number
    before?: (engine: RiskEngine) => void
    denied?: DenialCode
    reason?: string
  }[] = [
    { name: 'a market buy within everything' },
    { name: 'a sell of what is held', intent: { side: 'sell', ...size('0.5') } },
    {
      name: 'a sell above what is held',
      intent: { side: 'sell', ...size('0.50001') },
      denied: 'INSUFFICIENT_POSITION',
      reason: 'expected 0.50001 BTC, found 0.5 BTC held and not reserved',
    },
    {
      name: 'a buy above the cash with the collar',
      intent: size('1.66'),
      denied: 'INSUFFICIENT_CASH',
      reason: 'expected 100596 USDT (1.66 at 60600 at worst), found 100000 USDT not reserved',
    },
    { name: 'a buy that the cash covers with the collar', intent: size('1.65') },
    { name: 'a smaller collar when configured', limits: { marketCollar: 0 }, intent: size('1.66') },
    {
      name: 'a fee reserved on top',
      limits: { marketCollar: 0, feeRateReserved: 0.005 },
      intent: size('1.66'),
      denied: 'INSUFFICIENT_CASH',
    },
    {
      name: 'a price off the tick',
      intent: limit('60000.001'),
      denied: 'TICK_SIZE',
      reason: 'expected a price in steps of 0.01, found 60000.001',
    },
    {
      name: 'a quantity off the lot',
      intent: size('0.010001'),
      denied: 'LOT_SIZE',
      reason: 'expected a quantity in steps of 0.00001, found 0.010001',
    },
    { name: 'a quantity below the minimum', filters: { quantityMin: parseUnits('0.1') }, denied: 'QUANTITY_MIN' },
    { name: 'a quantity above the maximum', filters: { quantityMax: parseUnits('0.001') }, denied: 'QUANTITY_MAX' },
    {
      name: 'above the maximum of market orders',
      filters: { marketQuantityMax: parseUnits('0.001') },
      denied: 'QUANTITY_MAX',
    },
    {
      name: 'that maximum with a limit order',
      filters: { marketQuantityMax: parseUnits('0.001') },
      intent: limit('60000'),
    },
    {
      name: 'a notional below the minimum',
      intent: limit('60000', '0.00008'),
      denied: 'NOTIONAL_MIN',
      reason: 'expected at least 5 USDT, found 4.8 USDT',
    },
    {
      name: 'a notional above the venue’s maximum',
      filters: { notionalMax: parseUnits('100') },
      denied: 'NOTIONAL_MAX',
    },
    {
      name: 'a notional above our limit',
      limits: { notionalMaxPerOrder: parseUnits('599.99') },
      denied: 'NOTIONAL_MAX_PER_ORDER',
      reason: 'expected at most 599.99 USDT an order, found 600 USDT',
    },
    { name: 'a notional at our limit', limits: { notionalMaxPerOrder: parseUnits('600') } },
    {
      name: 'a buy above the collar',
      limits: { priceCollar: 0.05 },
      intent: limit('63000.01'),
      denied: 'PRICE_COLLAR',
      reason: 'expected a price of at most 63000, found 63000.01 with a last price of 60000',
    },
    { name: 'a buy at the collar', limits: { priceCollar: 0.05 }, intent: limit('63000') },
    { name: 'a buy far below the last price', limits: { priceCollar: 0.05 }, intent: limit('30000') },
    {
      name: 'a sell below the collar',
      limits: { priceCollar: 0.05 },
      intent: { side: 'sell', ...limit('56999.99') },
      denied: 'PRICE_COLLAR',
    },
    { name: 'a sell at the collar', limits: { priceCollar: 0.05 }, intent: { side: 'sell', ...limit('57000') } },
    {
      name: 'a limit order before there is a price to hold it against',
      limits: { priceCollar: 0.05 },
      before: (engine) => engine.mark(instrument.id, NaN, NaN),
      intent: limit('63000.01'),
    },
    {
      name: 'more than may be held',
      limits: { exposureMaxPerInstrument: parseUnits('30599.99') },
      denied: 'EXPOSURE_MAX_PER_INSTRUMENT',
      reason: 'expected at most 30599.99 USDT in BINANCE:BTCUSDT, found 30000 USDT and an order of 600 USDT',
    },
    { name: 'as much as may be held', limits: { exposureMaxPerInstrument: parseUnits('30600') } },
    {
      name: 'a sell although more is held than may be',
      limits: { exposureMaxPerInstrument: parseUnits('1') },
      intent: { side: 'sell', ...size('0.5') },
    },
    {
      name: 'more than may be held, an open buy counted',
      limits: { exposureMaxPerInstrument: parseUnits('31000') },
      before: (engine) => void engine.check(intent(limit('50000')), NOW),
      denied: 'EXPOSURE_MAX_PER_INSTRUMENT',
    },
    {
      name: 'one order more than a minute may have',
      limits: { ordersPerMinuteMax: 2 },
      nowUs: NOW + 59 * SECOND,
      before: (engine) => {
        for (const sizeText of ['0.01', '0.02']) engine.check(intent(size(sizeText)), NOW)
      },
      denied: 'ORDER_RATE',
      reason: 'expected at most 2 orders a minute, found 2 in the last 59 s',
    },
    {
      name: 'one order more when the minute is over',
      limits: { ordersPerMinuteMax: 2 },
      nowUs: NOW + 60 * SECOND,
      before: (engine) => {
        for (const sizeText of ['0.01', '0.02']) engine.check(intent(size(sizeText)), NOW)
      },
    },
    {
      name: 'an order that reduces, however many there were',
      limits: { ordersPerMinuteMax: 1 },
      before: (engine) => void engine.check(intent(), NOW),
      intent: { side: 'sell' },
    },
    {
      name: 'an order of another account than the one that was busy',
      limits: { ordersPerMinuteMax: 1 },
      before: (engine) => {
        const other = accountId('sim.binance.other')
        engine.setCash(other, 'USDT', parseUnits('100000'))
        engine.check(intent({ account: other }), NOW)
      },
    },
    { name: 'an instrument that is not tradable', filters: { tradable: false }, denied: 'INSTRUMENT_NOT_TRADABLE' },
    {
      name: 'an instrument not known',
      intent: { instrument: instrumentId('BINANCE:XXXUSDT') },
      denied: 'INSTRUMENT_UNKNOWN',
    },
    { name: 'no market price', before: (engine) => engine.mark(instrument.id, NaN, NaN), denied: 'NO_MARKET_PRICE' },
    {
      name: 'no market price with a limit order',
      before: (engine) => engine.mark(instrument.id, NaN, NaN),
      intent: limit('60000'),
    },
    { name: 'halted', before: (engine) => engine.setTradingState({}, 'halted'), denied: 'TRADING_HALTED' },
    {
      name: 'the account reducing, a buy',
      before: (engine) => engine.setTradingState({ account }, 'reducing'),
      denied: 'TRADING_REDUCING',
    },
    {
      name: 'the account reducing, a sell',
      before: (engine) => engine.setTradingState({ account }, 'reducing'),
      intent: { side: 'sell' },
    },
    {
      name: 'its strategy halted, a buy',
      before: (engine) => engine.setTradingState({ strategy }, 'halted'),
      denied: 'STRATEGY_HALTED',
    },
    {
      name: 'its strategy reducing, a buy',
      before: (engine) => engine.setTradingState({ strategy }, 'reducing'),
      denied: 'STRATEGY_REDUCING',
    },
    {
      name: 'its strategy halted, a sell',
      before: (engine) => engine.setTradingState({ strategy }, 'halted'),
      intent: { side: 'sell' },
      denied: 'STRATEGY_HALTED',
      reason: 'expected strategy one to be active, found it halted',
    },
    {
      name: 'its strategy reducing, a sell',
      before: (engine) => engine.setTradingState({ strategy }, 'reducing'),
      intent: { side: 'sell' },
    },
    {
      name: 'its strategy halted while everything only reduces',
      before: (engine) => {
        engine.setTradingState({ strategy }, 'halted')
        engine.setTradingState({}, 'reducing')
      },
      denied: 'STRATEGY_HALTED',
    },
    {
      name: 'its strategy and everything halted',
      before: (engine) => {
        engine.setTradingState({ strategy }, 'halted')
        engine.setTradingState({}, 'halted')
      },
      denied: 'TRADING_HALTED',
    },
    {
      name: 'the account held by JTS itself, a buy',
      before: (engine) => engine.holds.set(hold()),
      denied: 'HEARTBEAT_MISSING',
      reason: 'expected a heartbeat, found silence',
    },
    {
      name: 'the account held by JTS itself, a sell',
      before: (engine) => engine.holds.set(hold()),
      intent: { side: 'sell' },
    },
    {
      name: 'halted by a person and held by JTS, a sell',
      before: (engine) => {
        engine.holds.set(hold())
        engine.setTradingState({ account }, 'halted')
      },
      intent: { side: 'sell' },
      denied: 'TRADING_HALTED',
    },
    {
      name: 'held and lifted',
      before: (engine) => {
        engine.holds.set(hold())
        engine.holds.lift(hold())
      },
    },
    {
      name: 'held for two causes, one of them lifted',
      before: (engine) => {
        engine.holds.set(hold())
        engine.holds.set({ ...hold(), cause: 'reconciliation', code: 'RECONCILIATION_DIFFERENCE' })
        engine.holds.lift(hold())
      },
      denied: 'RECONCILIATION_DIFFERENCE',
    },
    {
      name: 'the instrument held',
      before: (engine) => engine.holds.set({ ...hold(), instrument: instrument.id }),
      denied: 'HEARTBEAT_MISSING',
    },
    {
      name: 'another instrument held',
      before: (engine) => engine.holds.set({ ...hold(), instrument: instrumentId('BINANCE:ETHUSDT') }),
    },
    {
      name: 'another account held',
      before: (engine) => engine.holds.set({ ...hold(), account: accountId('sim.binance.other') }),
    },
    {
      name: 'another strategy halted',
      before: (engine) => engine.setTradingState({ strategy: strategyInstanceId('two') }, 'halted'),
    },
    {
      name: 'halted and lifted',
      before: (engine) => {
        engine.setTradingState({ strategy }, 'halted')
        engine.setTradingState({ strategy }, 'active')
      },
    },
    {
      name: 'an old signal',
      limits: { signalAgeMaxUs: 2 * SECOND },
      nowUs: 103 * SECOND,
      denied: 'STALE_SIGNAL',
      reason: 'expected a signal of at most 2 s, found one of 3 s',
    },
    { name: 'an old signal without a limit', nowUs: 103 * SECOND },
    {
      name: 'old market data',
      limits: { marketDataAgeMaxUs: SECOND },
      nowUs: 103 * SECOND,
      denied: 'STALE_MARKET_DATA',
    },
    { name: 'no size', intent: { quantity: undefined }, denied: 'MALFORMED_INTENT' },
    { name: 'two sizes', intent: { quoteQuantity: parseUnits('5') }, denied: 'MALFORMED_INTENT' },
    { name: 'a negative size', intent: { quantity: -1n }, denied: 'MALFORMED_INTENT' },
    { name: 'a limit order without a price', intent: { type: 'limit' }, denied: 'MALFORMED_INTENT' },
    { name: 'a size in quote', intent: { quantity: undefined, quoteQuantity: parseUnits('600') } },
    {
      name: 'a size in quote above the cash',
      intent: { quantity: undefined, quoteQuantity: parseUnits('100001') },
      denied: 'INSUFFICIENT_CASH',
    },
  ]
  for (const one of cases) {
    it(`${one.denied === undefined ? 'approves' : 'denies'} ${one.name}`, () => {
      const engine = engineWith(one.limits, one.filters)
      one.before?.(engine)
      const decision = engine.check(intent(one.intent), one.nowUs ?? NOW)
      assert.equal(decision.approved ? undefined : decision.reasonCode, one.denied)
      if (one.reason !== undefined && !decision.approved) assert.equal(decision.reason, one.reason)
      assert.ok(decision.riskScore >= 0 && decision.riskScore <= 1)
    })
  }

  it('what is reserved cannot be spent again, and is free once the signal has ended', () => {
    const engine = engineWith()
    const first = intent(size('1'))
    assert.equal(engine.check(first, NOW).approved, true)
    assert.equal(formatUnits(engine.cashReserved(account, 'USDT')), '60600')
    assert.equal(engine.check(intent(size('1')), NOW).approved, false)
    engine.release(first.signalId)
    assert.equal(engine.check(intent(size('1')), NOW).approved, true)
  })

  it('two sells cannot reserve the same units', () => {
    const engine = engineWith()
    assert.equal(engine.check(intent({ side: 'sell', ...size('0.3') }), NOW).approved, true)
    assert.equal(engine.check(intent({ side: 'sell', ...size('0.3') }), NOW).approved, false)
    assert.equal(engine.check(intent({ side: 'sell', ...size('0.2') }), NOW).approved, true)
  })

  it('fills shrink the reservation, the last one ends it', () => {
    const engine = engineWith()
    const one = intent(limit('60000', '1'))
    engine.check(one, NOW)
    const fill = {
      fillId: '1',
      account,
      strategy,
      instrument: instrument.id,
      side: 'buy',
      quantity: parseUnits('0.25'),
      price: parseUnits('59000'),
      fee: 0n,
      feeCurrency: 'BTC',
      liquidity: 'maker',
      timeUs: NOW,
      tradeId: '1',
      orderId: 'o' as OrderId,
    } as const
    engine.applyFill(fill, one.signalId)
    assert.equal(formatUnits(engine.cashReserved(account, 'USDT')), '45000')
    assert.equal(formatUnits(engine.ledger(account).cashOf('USDT')), '85250')
    engine.applyFill({ ...fill, quantity: parseUnits('0.75') }, one.signalId)
    assert.equal(engine.cashReserved(account, 'USDT'), 0n)
    assert.equal(engine.reservation(one.signalId), undefined)
  })

  it('a signal asked twice is answered the same and reserved once; other content is refused', () => {
    const engine = engineWith()
    const one = intent(size('1'))
    const first = engine.check(one, NOW)
    assert.deepEqual(engine.check({ ...one }, NOW + 5), first)
    assert.equal(formatUnits(engine.cashReserved(account, 'USDT')), '60600')
    const other = engine.check({ ...one, ...size('0.5') }, NOW)
    assert.equal(!other.approved && other.reasonCode, 'DUPLICATE_SIGNAL')
  })

  it('an equal order within the window is a duplicate, one after it or of another size is not', () => {
    const engine = engineWith({ duplicateWindowUs: 10 * SECOND })
    assert.equal(engine.check(intent(), NOW).approved, true)
    const again = engine.check(intent(), NOW + 9 * SECOND)
    assert.equal(!again.approved && again.reasonCode, 'DUPLICATE_ORDER')
    assert.equal(engine.check(intent(size('0.02')), NOW + 9 * SECOND).approved, true)
    assert.equal(engine.check(intent(), NOW + 10 * SECOND).approved, true)
  })

  it('an order is remembered for the window and no longer', () => {
    const engine = engineWith({ duplicateWindowUs: 10 * SECOND })
    for (let n = 1; n <= 200; n++) {
      assert.equal(engine.check(intent(size((n / 100_000 + 0.0001).toFixed(5))), NOW + n * SECOND).approved, true)
    }
    assert.equal(engine.toPlain().recentOrders.length, 11)
  })

  it('the score is the used share of the tightest limit', () => {
    const engine = engineWith({ notionalMaxPerOrder: parseUnits('1200') })
    assert.equal(engine.check(intent(), NOW).riskScore, 0.5)
  })

  it('an advisory check judges the stated portfolio and reserves nothing', () => {
    const engine = engineWith()
    const portfolio = { cash: { USDT: parseUnits('100000') }, positions: {} }
    const small = engine.checkAdvisory(intent(limit('60000')), portfolio)
    assert.equal(small.approved, true)
    assert.equal(formatUnits(small.adjustedQuantity), '0.01')
    const large = engine.checkAdvisory(intent(limit('60000', '100')), portfolio)
    assert.equal(large.adjustedQuantity, 0n)
    assert.match(large.approved ? '' : large.reason, /expected 6000000 USDT .*found 100000 USDT/)
    assert.equal(engine.cashReserved(account, 'USDT'), 0n)
  })

  it('explains every rule when asked, and the first that objects gives the reason', () => {
    const engine = engineWith({ notionalMaxPerOrder: parseUnits('1') })
    const decision = engine.check(intent(size('1000')), NOW, { explain: true })
    assert.deepEqual(
      decision.checks.map((one) => one.rule),
      RISK_RULES.map((rule) => rule.name),
    )
    const failed = decision.checks.filter((one) => !one.passed)
    assert.deepEqual(
      failed.map((one) => one.rule),
      ['notional-max', 'notional-max-per-order', 'cash'],
    )
    assert.equal(!decision.approved && decision.reasonCode, 'NOTIONAL_MAX')
  })

  it('goes on from its plain form, through JSON, with reservations, states and answers', () => {
    const limits = { duplicateWindowUs: 10 * SECOND }
    const engine = engineWith(limits)
    const one = intent(size('1'))
    const first = engine.check(one, NOW)
    engine.setTradingState({ strategy: strategyInstanceId('two') }, 'halted')
    const plain = JSON.parse(JSON.stringify(engine.toPlain())) as RiskEnginePlain
    const restored = RiskEngine.fromPlain(plain, limits, [instrument])
    assert.deepEqual(JSON.parse(JSON.stringify(restored.toPlain())), plain)
    assert.deepEqual(restored.check(one, NOW), first)
    assert.equal(restored.check(intent(size('1')), NOW).approved, false)
    assert.equal(restored.tradingState(account, strategyInstanceId('two')), 'halted')
  })
})

describe('the cap of an instrument', () => {
  const order = fc.record({
    side: fc.constantFrom('buy' as const, 'sell' as const),
    lots: fc.integer({ min: 1, max: 50_000 }),
    isLimit: fc.boolean(),
    ends: fc.boolean(),
  })

  it('is never passed by what is approved, and never keeps back an order that reduces', () => {
    fc.assert(
      fc.property(fc.array(order, { maxLength: 30 }), fc.integer({ min: 0, max: 40_000 }), (orders, cap) => {
        const max = parseUnits(String(cap))
        const engine = engineWith({ exposureMaxPerInstrument: max, marketCollar: 0 })
        for (const { side, lots, isLimit, ends } of orders) {
          const quantity = formatUnits(instrument.lotSize * BigInt(lots))
          const asked = intent({ side, ...(isLimit ? limit('60000', quantity) : size(quantity)) })
          const decision = engine.check(asked, NOW)
          if (!decision.approved) {
            if (side === 'sell') assert.notEqual(decision.reasonCode, 'EXPOSURE_MAX_PER_INSTRUMENT')
          } else if (side === 'buy') {
            // The market stands, so what is held and what is open are worth the same as when they were judged.
            const held = engine.ledger(account).quantityOf(instrument.id) * 60_000n
            assert.ok(held + engine.cashReserved(account, 'USDT') <= max, `${quantity} on top of ${cap}`)
          }
          if (ends) engine.release(asked.signalId)
        }
      }),
    )
  })
})
