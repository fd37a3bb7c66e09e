/**
 * A broker in memory behind the broker port. It keeps what its venue knows (orders, trades, balances); a test scripts what
 * of that is answered, what is told by the stream, and what is not.
 */
import {
  BrokerError,
  type AdjustmentReport,
  type Balance,
  type BeforeWrite,
  type BrokerListener,
  type BrokerPort,
  type CancelOutcome,
  type Capabilities,
  type FillReport,
  type OrderReport,
  type PlaceOrderIntent,
  type PlaceOutcome,
  type PositionReport,
  type QueryOutcome,
} from '@jts/broker-kit'
import { formatUnits, parseUnits, type ClientOrderId, type InstrumentId, type VenueOrderId } from '@jts/model'
import type { WallClock } from '@jts/runtime'

export const FAKE_CAPABILITIES: Capabilities = {
  broker: 'binance',
  orderTypes: ['market', 'limit', 'limit_maker'],
  timeInForce: ['gtc', 'ioc', 'fok'],
  marketBuySizes: ['base', 'quote'],
  marketSellSizes: ['base', 'quote'],
  clientOrderIds: 'unique-while-open',
  amend: false,
  streams: ['orders'],
  absenceProof: 'receive-window',
}

type Answer<T> = T | Promise<T>

export class FakeBroker implements BrokerPort {
  readonly capabilities: Capabilities
  /** Every request to place, in the order in which they came. */
  readonly placed: PlaceOrderIntent[] = []
  readonly cancels: { readonly clientOrderId: string; readonly cancelId: string }[] = []
  readonly queries: string[] = []
  readonly queriedAtUs: number[] = []
  readonly orders = new Map<string, OrderReport>()
  readonly trades: FillReport[] = []
  /** Trades that the venue's list does not show yet, whatever it shows of later ones. */
  readonly unlisted = new Set<string>()
  gate: 'open' | 'halted' = 'open'
  /** Of the trading state by which the gate stands as it does. */
  gateVersion = 0
  balanceList: Balance[] = [{ currency: 'USDT', free: parseUnits('10000'), locked: 0n }]
  /** Of a broker whose holdings are no balances. */
  positionList: PositionReport[] = []
  /** The stream comes up by itself when it is subscribed to. */
  upAtOnce = true
  /** Questions are not answered: they fail as an adapter's do. */
  away = false
  /** How far the venue's clock is ahead of ours, which nobody has measured. */
  venueAheadUs = 0
  /** What a request to place is answered with; by default the venue takes it. */
  onPlace: (intent: PlaceOrderIntent) => Answer<PlaceOutcome> = (intent) => this.take(intent)
  /** How long a request waits for its turn before it is written. */
  untilWritten: (() => Promise<void>) | undefined
  onCancel: (clientOrderId: string) => Answer<CancelOutcome> = (clientOrderId) => this.cancelAtVenue(clientOrderId)
  onQuery: (clientOrderId: string) => Answer<QueryOutcome> = (clientOrderId) => this.known(clientOrderId)
  /** Asked right before the list of trades, or the balances, is read. */
  onRead: (what: 'fills' | 'balances') => Answer<void> = () => undefined
  readonly #clock: WallClock
  #listeners: BrokerListener[] = []
  #nextId = 100

  constructor(clock: WallClock, capabilities: Partial<Capabilities> = {}) {
    this.#clock = clock
    this.capabilities = { ...FAKE_CAPABILITIES, ...capabilities }
  }

  async placeOrder(intent: PlaceOrderIntent, beforeWrite?: BeforeWrite): Promise<PlaceOutcome> {
    this.placed.push(intent)
    if (this.untilWritten !== undefined) await this.untilWritten()
    if (this.gate === 'halted') return { kind: 'not_sent', code: 'GATE_HALTED', message: 'the gate is halted' }
    return beforeWrite?.() ?? this.onPlace(intent)
  }

  async cancelOrder(order: { clientOrderId: ClientOrderId; cancelId: ClientOrderId }): Promise<CancelOutcome> {
    this.cancels.push({ clientOrderId: order.clientOrderId, cancelId: order.cancelId })
    return this.onCancel(order.clientOrderId)
  }

  async queryOrder(order: { clientOrderId: ClientOrderId }): Promise<QueryOutcome> {
    this.queries.push(order.clientOrderId)
    this.queriedAtUs.push(this.#clock.nowUs())
    if (this.away) return { kind: 'failed', message: 'away' }
    return this.onQuery(order.clientOrderId)
  }

  async openOrders(): Promise<readonly OrderReport[]> {
    if (this.away) throw new BrokerError('UNAVAILABLE', 'away', { retryable: true })
    return [...this.orders.values()].filter(({ status }) => isOpen(status))
  }

  async fills(query: { instrument: InstrumentId; afterTradeId?: string }): Promise<readonly FillReport[]> {
    if (this.away) throw new BrokerError('UNAVAILABLE', 'away', { retryable: true })
    const all = this.trades.filter((one) => one.instrument === query.instrument)
    const place = all.findIndex(({ tradeId }) => tradeId === query.afterTradeId)
    const after = this.#isCumulative ? all.slice(place + 1) : all.filter((one) => isAfter(one, query.afterTradeId))
    const found = after.filter(({ tradeId }) => !this.unlisted.has(tradeId))
    await this.onRead('fills')
    return found
  }

  async balances(): Promise<readonly Balance[]> {
    if (this.away) throw new BrokerError('UNAVAILABLE', 'away', { retryable: true })
    const found = this.balanceList
    await this.onRead('balances')
    return found
  }

  positions(): Promise<readonly PositionReport[]> {
    return Promise.resolve(this.positionList)
  }

  get #isCumulative(): boolean {
    return this.capabilities.fills?.idSource === 'cumulative'
  }

  subscribeOrders(listener: BrokerListener): { stop(): Promise<void> } {
    this.#listeners.push(listener)
    if (this.upAtOnce) listener.onOrderStream('up', 'subscribed')
    return {
      stop: () => {
        this.#listeners = this.#listeners.filter((one) => one !== listener)
        return Promise.resolve()
      },
    }
  }

  /** As measured when it was last told of, which a step of either clock makes wrong. */
  clockOffsetUs(): number {
    return 0
  }

  async venueTimeUs(): Promise<number> {
    if (this.away) throw new BrokerError('UNAVAILABLE', 'away', { retryable: true })
    return this.#clock.nowUs() + this.venueAheadUs
  }

  setGate(state: 'open' | 'halted', tradingStateVersion = 0): void {
    this.gate = state
    this.gateVersion = tradingStateVersion
  }

  up(): void {
    for (const listener of this.#listeners) listener.onOrderStream('up', 'again')
  }

  down(): void {
    for (const listener of this.#listeners) listener.onOrderStream('down', 'dropped')
  }

  /** The process that listened is gone, without a word. */
  forgetListeners(): void {
    this.#listeners = []
  }

  /** The venue stays what it was; another process asks it. */
  goOnFrom(before: FakeBroker): void {
    for (const [id, report] of before.orders) this.orders.set(id, report)
    this.trades.push(...before.trades)
    for (const id of before.unlisted) this.unlisted.add(id)
    this.balanceList = before.balanceList
    this.positionList = before.positionList
    this.#nextId = before.#nextId
  }

  notice(report: OrderReport, fill?: FillReport): void {
    for (const listener of this.#listeners) listener.onOrder(report, fill)
  }

  /** Money comes or goes at the venue, which tells of it by `tellAdjustment` or not at all. */
  move(currency: string, amount: string): AdjustmentReport {
    const units = parseUnits(amount)
    const before = this.balanceList.find((one) => one.currency === currency) ?? { currency, free: 0n, locked: 0n }
    const others = this.balanceList.filter((one) => one.currency !== currency)
    this.balanceList = [...others, { ...before, free: before.free + units }]
    const reason = units > 0n ? 'deposit' : 'withdrawal'
    return { noticeId: `notice-${this.#nextId++}`, currency, amount: units, reason, timeUs: this.#clock.nowUs() }
  }

  tellAdjustment(adjustment: AdjustmentReport): void {
    for (const listener of this.#listeners) listener.onAdjustment(adjustment)
  }

  /** The venue takes the request: from here on it has the order. */
  take(intent: PlaceOrderIntent): PlaceOutcome {
    const report: OrderReport = {
      clientOrderId: intent.clientOrderId,
      venueOrderId: String(this.#nextId++) as VenueOrderId,
      instrument: intent.instrument,
      side: intent.side,
      status: 'accepted',
      quantity: intent.quantity ?? 0n,
      cumulativeQuantity: 0n,
      timeUs: this.#clock.nowUs(),
      ...(intent.limitPrice === undefined ? {} : { limitPrice: intent.limitPrice }),
    }
    this.orders.set(intent.clientOrderId, report)
    return { kind: 'accepted', report, fills: [] }
  }

  known(clientOrderId: string): QueryOutcome {
    const report = this.orders.get(clientOrderId)
    return report === undefined ? { kind: 'not_found' } : { kind: 'found', report }
  }

  /** An execution at the venue; nobody is told of it before `notice`. `isLast` ends an order whose quantity is not known. */
  execute(clientOrderId: string, quantity: string, options: { price?: string; isLast?: boolean } = {}) {
    const before = this.orders.get(clientOrderId)!
    const cumulativeQuantity = before.cumulativeQuantity + parseUnits(quantity)
    const isFull = options.isLast ?? cumulativeQuantity === before.quantity
    const report: OrderReport = { ...before, cumulativeQuantity, status: isFull ? 'filled' : 'partially_filled' }
    this.orders.set(clientOrderId, report)
    const fill: FillReport = {
      venueOrderId: report.venueOrderId,
      clientOrderId: report.clientOrderId,
      instrument: report.instrument,
      tradeId: this.#isCumulative
        ? `${report.venueOrderId}:${formatUnits(cumulativeQuantity)}`
        : String(this.#nextId++),
      ...(this.#isCumulative ? { idSource: 'cumulative' as const } : {}),
      side: report.side,
      quantity: parseUnits(quantity),
      price: parseUnits(options.price ?? '100'),
      fee: 0n,
      feeCurrency: 'USDT',
      liquidity: 'taker',
      timeUs: this.#clock.nowUs(),
      cumulativeQuantity,
    }
    this.trades.push(fill)
    return { report, fill }
  }

  /** An execution that no order of ours explains. */
  executeForeign(instrument: InstrumentId, quantity: string): { report: OrderReport; fill: FillReport } {
    const clientOrderId = `foreign-${this.#nextId}`
    this.take({
      clientOrderId: clientOrderId as ClientOrderId,
      instrument,
      side: 'buy',
      type: 'market',
      quantity: parseUnits(quantity),
      intentTimeUs: 0,
      sendBeforeUs: 0,
    })
    return this.execute(clientOrderId, quantity)
  }

  /** The venue ends the order as it stands. */
  end(clientOrderId: string, status: 'cancelled' | 'expired'): OrderReport {
    const report: OrderReport = { ...this.orders.get(clientOrderId)!, status }
    this.orders.set(clientOrderId, report)
    return report
  }

  cancelAtVenue(clientOrderId: string): CancelOutcome {
    const report = this.orders.get(clientOrderId)
    if (report === undefined || !isOpen(report.status)) return { kind: 'not_open', message: 'no such open order' }
    return { kind: 'cancelled', report: this.end(clientOrderId, 'cancelled') }
  }
}

function isAfter({ tradeId }: FillReport, after = '0'): boolean {
  return BigInt(tradeId) > BigInt(after)
}

function isOpen(status: OrderReport['status']): boolean {
  return status === 'accepted' || status === 'partially_filled'
}

/** An answer that comes when the test says so. */
export function deferred<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  return Promise.withResolvers<T>()
}
