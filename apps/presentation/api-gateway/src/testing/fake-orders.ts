/** Made-up orders behind the fake ports, with what risk said of them and their fills. */
import type { Side } from '@jts/model/bars'
import { formatUnits, multiplyUnits, parseUnits, unitsFromFloat } from '@jts/model/numbers'
import type { DecisionView, FillView, GatewayUpdate, OrderView, WaitingView } from '../ports.ts'
import type { FakeAccounts } from './fake-accounts.ts'
import { BARS, marketOf, MARKETS, START_US, type FakeMarkets } from './fake-markets.ts'

export class FakeOrders {
  readonly orders: OrderView[] = []
  readonly fills: FillView[] = []
  readonly decisions: DecisionView[] = []
  /** Decided once their market takes orders. */
  readonly #waiting: DecisionView[] = []
  readonly #markets: FakeMarkets
  readonly #accounts: FakeAccounts
  readonly #emit: (update: GatewayUpdate) => void
  #count = 0

  constructor(markets: FakeMarkets, accounts: FakeAccounts, emit: (update: GatewayUpdate) => void) {
    this.#markets = markets
    this.#accounts = accounts
    this.#emit = emit
  }

  /** What there is when somebody first looks. */
  begin(): void {
    for (const [index, side] of (['buy', 'sell', 'buy', 'sell', 'buy', 'buy'] as const).entries()) {
      this.fill(MARKETS[index % 2]!.id, side, BARS - 150 + index * 26)
    }
    this.deny('BINANCE:BTCUSDT', 'sell', 'INSUFFICIENT_POSITION', 'expected at least 0.5 sellable, found 0.3')
    this.deny('KRX:005930', 'buy', 'NOTIONAL_MAX_PER_ORDER', 'expected at most 5000000 KRW, found 14280000 KRW')
    const reason = 'INSUFFICIENT_BALANCE: Account has insufficient balance for requested action.'
    this.orders.unshift({ ...this.#order('BINANCE:BTCUSDT', 'buy', 'rejected', '0'), reason })
    this.orders.unshift(this.#order('KRX:005930', 'buy', 'accepted', '0', '70900'))
  }

  /** How many were open. */
  cancelOpen(): number {
    const resting = this.orders.filter((order) => order.status === 'accepted')
    for (const order of resting) this.#putOrder({ ...order, status: 'cancelled' })
    return resting.length
  }

  waiting(): readonly WaitingView[] {
    return this.#waiting.map(waitingView)
  }

  /** A whole life in one step: approved, filled, booked. */
  fill(instrument: string, side: Side, barIndex = -1): FillView {
    const market = marketOf(instrument)
    const bar = this.#markets.candles(instrument).at(barIndex)
    const price = formatUnits(unitsFromFloat(bar?.close ?? market.price))
    const timeUs = (bar?.openTimeUs ?? START_US) + 21_000_000
    const order = {
      ...this.#order(instrument, side, 'filled', market.lot),
      averageFillPrice: price,
      timeUs,
    } satisfies OrderView
    const notional = multiplyUnits(parseUnits(price), parseUnits(market.lot), 'half-even')
    const fill: FillView = {
      fillId: `fill-${order.orderId}`,
      account: order.account,
      strategy: order.strategy,
      instrument,
      side,
      quantity: market.lot,
      price,
      fee: formatUnits(multiplyUnits(notional, parseUnits('0.001'), 'half-even')),
      feeCurrency: market.quoteCurrency,
      timeUs,
      orderId: order.orderId,
    }
    this.#accounts.book(instrument, side, parseUnits(market.lot), notional)
    this.#decide({ ...this.#decision(order, price), approved: true, riskScore: 0.31 })
    this.#putOrder(order)
    this.fills.unshift(fill)
    this.#emit({ type: 'fill', data: fill })
    return fill
  }

  deny(instrument: string, side: Side, reasonCode: string, reason: string): void {
    const price = formatUnits(unitsFromFloat(this.#markets.last(instrument)?.close ?? marketOf(instrument).price))
    const order: OrderView = { ...this.#order(instrument, side, 'denied', '0'), reason: `${reasonCode}: ${reason}` }
    const decision = this.#decision(order, price)
    this.#decide({ ...decision, approved: false, adjustedQuantity: '0', reasonCode, reason, riskScore: 1 })
    this.#putOrder(order)
  }

  /** An order that its market does not take yet. */
  wait(instrument: string, side: Side, notBeforeUs: number): void {
    const price = formatUnits(unitsFromFloat(marketOf(instrument).price))
    const decision = this.#decision(this.#order(instrument, side, 'approved', '0'), price)
    const waiting = { ...decision, approved: false, notBeforeUs, adjustedQuantity: '0' }
    this.#waiting.push(waiting)
    this.#decide(waiting)
  }

  /** The market takes orders, and risk lets everything pass that has waited. */
  open(): void {
    for (const { notBeforeUs, ...decision } of this.#waiting.splice(0)) {
      const known = this.decisions.findIndex(({ signalId }) => signalId === decision.signalId)
      this.decisions.splice(known, 1)
      this.#decide({ ...decision, approved: true, adjustedQuantity: decision.quantity, timeUs: notBeforeUs! })
    }
  }

  #decide(decision: DecisionView): void {
    this.decisions.unshift(decision)
    this.#emit({ type: 'decision', data: decision })
  }

  #putOrder(order: OrderView): void {
    const index = this.orders.findIndex(({ orderId }) => orderId === order.orderId)
    if (index === -1) this.orders.unshift(order)
    else this.orders[index] = order
    this.#emit({ type: 'order', data: order })
  }

  #order(
    instrument: string,
    side: Side,
    status: OrderView['status'],
    filled: string,
    limitPrice?: string,
  ): OrderView & { filledQuantity: string } {
    const id = String(++this.#count).padStart(4, '0')
    return {
      orderId: `order-${id}`,
      clientOrderId: `client-${id}`,
      ...(status === 'denied' ? {} : { venueOrderId: `${90_000 + this.#count}` }),
      account: this.#accounts.of(instrument),
      strategy: instrument.startsWith('KRX') ? 'breakout-samsung' : 'ema-btc',
      instrument,
      side,
      type: limitPrice === undefined ? 'market' : 'limit',
      quantity: marketOf(instrument).lot,
      ...(limitPrice === undefined ? {} : { limitPrice }),
      status,
      filledQuantity: filled,
      timeUs: (this.#markets.last(instrument)?.openTimeUs ?? START_US) + 5_000_000,
      correlationId: `correlation-${id}`,
    }
  }

  #decision(order: OrderView, price: string): DecisionView {
    const { correlationId, account, strategy, instrument, side, type, quantity, timeUs } = order
    const signalId = `signal-${order.orderId}`
    const base = { signalId, correlationId, account, strategy, instrument, side, type, quantity, price, timeUs }
    return { ...base, approved: true, adjustedQuantity: quantity, riskScore: 0 }
  }
}

function waitingView({ signalId, side, quantity, notBeforeUs }: DecisionView): WaitingView {
  return { signalId, side, quantity, notBeforeUs: notBeforeUs! }
}
