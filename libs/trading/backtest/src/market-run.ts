/** One market of a backtest with its strategy instance: releases recorded events and carries intents to fills. */
import {
  OrderLife,
  feeOfReceived,
  multiplyUnits,
  netBaseQuantity,
  unitsToFloat,
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

/** An order with its life and the signal it came from. */
class BacktestOrder extends MatchOrder {
  readonly intent: RiskIntent
  readonly number: number
  /** For an order sized in quote the quantity is known at its fill. */
  life: OrderLife

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
  readonly runner: StrategyRunner
  readonly matching: BarMatching<BacktestOrder>
  readonly riskMarket: RiskMarket
  readonly #account: AccountRun
  readonly #index: number
  readonly #fillOwner: number
  readonly #position: Position

  constructor(account: AccountRun, runner: StrategyRunner, index: number, slippageBps: number) {
    this.#account = account
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
      baseCurrency: runner.instrument.baseCurrency,
      quoteCurrency: runner.instrument.quoteCurrency,
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

  /** Takes what the strategy asked for during the event just handled. */
  takeIntents(timeUs: number): void {
    const { runner } = this
    // Placing an order may not call the strategy, so the buffer stays as it is while it is read.
    const count = runner.intentCount
    for (let i = 0; i < count; i++) {
      const intent = runner.intents[i]!
      if (intent.kind === 'place') this.#place(intent, timeUs)
      else this.#cancel(intent.order, timeUs)
    }
  }

  #place(wanted: StrategyIntent, timeUs: number): void {
    const { counts, risk } = this.#account
    counts.signals++
    const intent = this.#riskIntent(wanted, timeUs)
    const decision = risk.check(intent, timeUs)
    if (!decision.approved) {
      this.#account.denied(decision.reasonCode, decision.reason)
      this.runner.onOrderClosed(wanted.order)
      return
    }
    counts.approved++
    counts.orders++
    const order = new BacktestOrder(intent, wanted.order)
    this.matching.place(order)
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

  covers(order: BacktestOrder, quantity: Units, price: Units): boolean {
    if (order.side === 'sell') return quantity <= this.#position.quantity
    return multiplyUnits(quantity, price, 'half-even') <= this.#account.ledger.cashOf(this.instrument.quoteCurrency)
  }

  filled(order: BacktestOrder, quantity: Units, price: Units, liquidity: Liquidity, timeUs: number): void {
    const account = this.#account
    const { instrument, runner } = this
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
      fee: feeOfReceived(side, quantity, price, account.feeRate),
      feeCurrency: side === 'buy' ? instrument.baseCurrency : instrument.quoteCurrency,
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
    if (runner.intentCount > 0) this.takeIntents(timeUs)
  }

  ended(order: BacktestOrder, status: 'expired' | 'rejected' | 'cancelled'): void {
    order.life.move(status)
    this.#account.counts[status]++
    this.#forget(order)
    this.runner.onOrderClosed(order.number)
  }

  #forget(order: BacktestOrder): void {
    this.#account.risk.release(order.intent.signalId)
  }
}
