/** One market of a backtest with its strategy instance: releases recorded events and carries intents to fills. */
import {
  KrxError,
  OrderLife,
  multiplyUnits,
  netBaseQuantity,
  unitsToFloat,
  type DenialCode,
  type FeeModel,
  type Fill,
  type Instrument,
  type OrderId,
  type Position,
  type RiskIntent,
  type RiskMarket,
  type SignalId,
  type Units,
} from '@jts/model'
import { BarMatching, MatchOrder, type Liquidity, type MatchingOwner } from '@jts/matching'
import type { StrategyIntent, StrategyRunner } from '@jts/strategy-kit'
import { BACKTEST_ACCOUNT, type AccountRun } from './account-run.ts'
import type { MarketHours } from './market-hours.ts'
import { OPEN_ORDERS_MAX, isFarFromMarket, lockOf } from './venue-rules.ts'

/** An order with its life and the signal it came from. */
class BacktestOrder extends MatchOrder {
  readonly intent: RiskIntent
  readonly number: number
  /** For an order sized in quote the quantity is known at its fill. */
  life: OrderLife
  /** What the venue holds back for it: quote currency for a buy, base currency for a sell. */
  locked: Units = 0n

  constructor(intent: RiskIntent, number: number) {
    super(intent)
    this.intent = intent
    this.number = number
    // The fill model is a venue that answers at once.
    this.life = new OrderLife(intent.quantity ?? 0n, 'accepted')
  }
}

export class MarketRun implements MatchingOwner<BacktestOrder> {
  readonly instrument: Instrument
  readonly fees: FeeModel
  readonly runner: StrategyRunner
  readonly matching: BarMatching<BacktestOrder>
  readonly riskMarket: RiskMarket
  readonly #account: AccountRun
  /** Of a market that closes. */
  readonly #hours: MarketHours | undefined
  readonly #index: number
  readonly #fillOwner: number
  readonly #position: Position
  /** Quantity that the venue holds back for open sells. */
  #locked: Units = 0n
  /** What was decided and waits for the end of the event: orders to place, and numbers of orders to cancel. */
  readonly #wanted: (BacktestOrder | number)[] = []
  /** Within a phase the venue has filled every order of it before anyone can answer the first fill. */
  #isMatching = false
  /** The price that the venue has shown last. */
  #shownPrice = NaN

  constructor(
    account: AccountRun,
    runner: StrategyRunner,
    fees: FeeModel,
    index: number,
    slippageBps: number,
    hours?: MarketHours,
  ) {
    this.#account = account
    this.#hours = hours
    this.fees = fees
    this.#index = index
    this.runner = runner
    this.instrument = runner.instrument
    this.matching = new BarMatching<BacktestOrder>(runner.instrument, this, slippageBps)
    account.risk.setInstrument(runner.instrument)
    this.riskMarket = account.risk.market(runner.instrument.id)
    this.#fillOwner = account.fills.addOwner({
      account: BACKTEST_ACCOUNT,
      strategy: runner.instance,
      instrument: runner.instrument.id,
      feeCurrencies: { buy: fees.currencyOf('buy'), sell: fees.currencyOf('sell') },
    })
    this.#position = account.ledger.position(runner.instance, runner.instrument.id)
  }

  mark(price: number, timeUs: number): void {
    this.riskMarket.lastPrice = price
    this.riskMarket.lastTimeUs = timeUs
  }

  watchEquity(): void {
    const { watch } = this.#account
    watch.setValue(this.#index, this.runner.position.quantity, this.riskMarket.lastPrice)
    watch.look()
  }

  open(price: number, timeUs: number): void {
    this.#shownPrice = price
    this.#isMatching = true
    this.matching.open(price, timeUs)
    this.#endMatching(timeUs)
  }

  range(low: number, high: number, timeUs: number): void {
    this.#isMatching = true
    this.matching.range(low, high, timeUs)
    this.#endMatching(timeUs)
  }

  trade(price: number, timeUs: number): void {
    this.#shownPrice = price
    this.#isMatching = true
    this.matching.trade(price, timeUs)
    this.#endMatching(timeUs)
  }

  #endMatching(timeUs: number): void {
    this.#isMatching = false
    if (this.#wanted.length > 0) this.#carryOut(timeUs)
  }

  /** Takes what the strategy asked for at a close or a recorded trade, whose price is the last one shown. */
  answer(price: number, timeUs: number): void {
    this.#shownPrice = price
    this.#takeIntents(timeUs, 'bar')
  }

  /** Risk decides on everything that one event has caused before the venue hears of any of it. */
  #takeIntents(timeUs: number, cause: 'bar' | 'fill'): void {
    const { runner } = this
    // Deciding may not call the strategy, so the buffer stays as it is while it is read.
    const count = runner.intentCount
    for (let i = 0; i < count; i++) {
      const intent = runner.intents[i]!
      if (intent.kind === 'place') this.#decide(intent, timeUs, cause)
      else this.#wanted.push(intent.order)
    }
    if (!this.#isMatching) this.#carryOut(timeUs)
  }

  #decide(wanted: StrategyIntent, timeUs: number, cause: 'bar' | 'fill'): void {
    const { counts, risk } = this.#account
    const hours = this.#hours
    counts.signals++
    let askedUs = timeUs
    try {
      if (hours !== undefined) askedUs = cause === 'bar' ? hours.uponBarUs(timeUs, wanted) : hours.uponFillUs(timeUs)
    } catch (error) {
      if (!(error instanceof KrxError)) throw error
      return this.#deny(wanted, 'SESSION_UNKNOWN', error.message)
    }
    if (hours !== undefined) this.riskMarket.lastTimeUs = hours.pricedUs(this.riskMarket.lastTimeUs)
    const intent = this.#riskIntent(wanted, askedUs)
    const decision = risk.check(intent, askedUs)
    if (!decision.approved) return this.#deny(wanted, decision.reasonCode, decision.reason)
    counts.approved++
    counts.orders++
    this.#wanted.push(new BacktestOrder(intent, wanted.order))
  }

  #deny(wanted: StrategyIntent, code: DenialCode, reason: string): void {
    this.#account.denied(code, reason)
    this.runner.onOrderClosed(wanted.order)
  }

  #carryOut(timeUs: number): void {
    for (const one of this.#wanted) {
      if (typeof one === 'number') this.#cancel(one, timeUs)
      else this.#place(one, timeUs)
    }
    this.#wanted.length = 0
  }

  #place(order: BacktestOrder, timeUs: number): void {
    const locked = lockOf(order, this.#shownPrice, this.instrument)
    const isFull = this.matching.openCount >= OPEN_ORDERS_MAX
    if (isFull || isFarFromMarket(order, this.#shownPrice) || locked > this.#free(order)) {
      order.isEnded = true
      return this.ended(order, 'rejected')
    }
    this.#lock(order, locked)
    this.matching.place(order, this.#shownPrice, timeUs)
  }

  #lock(order: BacktestOrder, locked: Units): void {
    if (order.side === 'buy') this.#account.locked += locked - order.locked
    else this.#locked += locked - order.locked
    order.locked = locked
  }

  /** What the account holds of the currency that the order pays with, less what is held back for orders. */
  #free({ side }: BacktestOrder): Units {
    if (side === 'sell') return this.#position.quantity - this.#locked
    return this.#account.ledger.cashOf(this.instrument.quoteCurrency) - this.#account.locked
  }

  #cancel(number: number, timeUs: number): void {
    const order = this.matching.find((one) => one.number === number)
    if (order !== undefined) this.matching.cancel(order, timeUs)
  }

  /** Ids are counted, not hashed: a backtest exports none of them but its trade ids. */
  #riskIntent(wanted: StrategyIntent, timeUs: number): RiskIntent {
    return {
      signalId: `${this.runner.instance}-${wanted.order}` as SignalId,
      account: BACKTEST_ACCOUNT,
      strategy: this.runner.instance,
      instrument: this.instrument.id,
      side: wanted.side,
      type: wanted.type,
      timeInForce: wanted.timeInForce,
      signalTimeUs: timeUs,
      quantity: wanted.quantity,
      quoteQuantity: wanted.quoteQuantity,
      limitPrice: wanted.limitPrice,
    }
  }

  covers(order: BacktestOrder, quantity: Units, price: Units, timeUs: number): boolean {
    return this.#paid(order, quantity, price, timeUs) <= this.#free(order) + order.locked
  }

  /** What the fill takes from the account, with a fee that comes on top of the price. */
  #paid({ side }: BacktestOrder, quantity: Units, price: Units, timeUs: number): Units {
    if (side === 'sell') return quantity
    const { fees, instrument } = this
    const notional = multiplyUnits(quantity, price, 'half-even')
    return fees.currencyOf(side) === instrument.quoteCurrency
      ? notional + fees.feeOf(side, quantity, price, timeUs)
      : notional
  }

  filled(order: BacktestOrder, quantity: Units, price: Units, liquidity: Liquidity, timeUs: number): void {
    const account = this.#account
    const { instrument, runner, fees } = this
    const { side } = order
    const tradeId = String(account.counts.fills + 1)
    const fill: Fill = {
      fillId: tradeId,
      account: BACKTEST_ACCOUNT,
      strategy: runner.instance,
      instrument: instrument.id,
      side,
      quantity,
      price,
      fee: fees.feeOf(side, quantity, price, timeUs),
      feeCurrency: fees.currencyOf(side),
      liquidity,
      timeUs,
      tradeId,
      orderId: order.intent.signalId as string as OrderId,
    }
    if (order.quantity === undefined) order.life = new OrderLife(quantity, 'accepted')
    order.life.fill(tradeId, quantity)
    account.book(fill, instrument, this.#fillOwner, order.number)
    this.#forget(order)
    runner.onFill(order.number, side, quantity, netBaseQuantity(fill, instrument), unitsToFloat(price), timeUs)
    if (order.quantity === undefined) runner.onOrderClosed(order.number)
    if (runner.intentCount > 0) this.#takeIntents(timeUs, 'fill')
  }

  ended(order: BacktestOrder, status: 'expired' | 'rejected' | 'cancelled'): void {
    order.life.move(status)
    this.#account.counts[status]++
    this.#forget(order)
    this.runner.onOrderClosed(order.number)
  }

  #forget(order: BacktestOrder): void {
    this.#lock(order, 0n)
    this.#account.risk.release(order.intent.signalId)
  }
}
