/**
 * A broker service as a broker port and a market data port: whoever uses it does not see that it is another process. It never
 * repeats a request that acts, and says honestly how far each one came.
 */
import * as api from '@jts/contracts/broker-api'
import {
  BrokerError,
  fromWireCapabilities,
  type AmendOrderIntent,
  type AmendOutcome,
  type Balance,
  type BeforeWrite,
  type BookScope,
  type BrokerListener,
  type BrokerPort,
  type CancelOrderIntent,
  type CancelOutcome,
  type CandleQuery,
  type Capabilities,
  type FillPage,
  type FillReport,
  type MarketDataPort,
  type MarketListener,
  type MarketSubscription,
  type OrderBookReport,
  type OrderReport,
  type PlaceOrderIntent,
  type PlaceOutcome,
  type PositionReport,
  type QueryOutcome,
  type QuoteReport,
  type TradeQuery,
} from '@jts/broker-kit'
import type { Bar, ClientOrderId, Instrument, InstrumentId, Trade } from '@jts/model'
import { AccountGate } from './account-gate.ts'
import { Account } from './account.ts'
import { MarketData } from './market-data.ts'
import { Orders } from './orders.ts'
import { READ } from './readers.ts'
import { ServiceLink, type ServiceLinkOptions } from './service-link.ts'

export type BrokerApiClientOptions = ServiceLinkOptions & {
  /** Until `start` has read the service's own. */
  readonly capabilities?: Capabilities
  /** How often the service is asked what it says of itself, where somebody listens (`onHealth`). */
  readonly healthEveryMs?: number
}

const MEASURE_EVERY_MS = 60_000
/** Where somebody listens: what a person has to decide is not told a minute later. */
const HEALTH_EVERY_MS = 10_000

export class BrokerApiClient implements BrokerPort, MarketDataPort {
  readonly #link: ServiceLink
  readonly #gate: AccountGate
  readonly #orders: Orders
  readonly #account: Account
  readonly #marketData: MarketData
  readonly #healthEveryMs: number
  #capabilities: Capabilities | undefined

  constructor({ capabilities, healthEveryMs = HEALTH_EVERY_MS, ...options }: BrokerApiClientOptions) {
    this.#capabilities = capabilities
    this.#healthEveryMs = healthEveryMs
    this.#link = new ServiceLink(options)
    this.#gate = new AccountGate(this.#link, () => this.#capabilities !== undefined)
    this.#orders = new Orders(this.#link, this.#gate)
    this.#account = new Account(this.#link)
    this.#marketData = new MarketData(this.#link)
  }

  get capabilities(): Capabilities {
    if (this.#capabilities === undefined) throw new BrokerError('NOT_STARTED', 'expected start() before capabilities')
    return this.#capabilities
  }

  /** Reads what the service is and can, measures its clock, announces the lease. @throws BrokerError */
  async start(): Promise<void> {
    const { broker, account } = this.#link.options
    await this.#link.locate()
    const found = await this.#link.ask({ method: 'GET', path: '/capabilities' }, READ.capabilities)
    if (found.contractVersion.split('.')[0] !== api.CONTRACT_VERSION.split('.')[0]) {
      throw new BrokerError(
        'CONFIG',
        `expected contract version ${api.CONTRACT_VERSION}, found ${found.contractVersion}`,
      )
    }
    if (broker !== undefined && found.broker !== broker) {
      throw new BrokerError('CONFIG', `expected the service of ${broker}, found one of ${found.broker}`)
    }
    if (account !== undefined && !found.accounts.includes(account)) {
      throw new BrokerError(
        'CONFIG',
        `expected a service that holds ${account}, found ${found.accounts.join(', ') || 'none'}`,
      )
    }
    this.#capabilities = fromWireCapabilities(found)
    await this.measureClock()
    await this.#gate.announce()
    this.#link.every(MEASURE_EVERY_MS, () => this.measureClock())
    if (this.#link.options.onHealth === undefined) return
    this.#link.every(this.#healthEveryMs, () => this.measureClock().catch(() => undefined))
  }

  stop(): Promise<void> {
    return this.#link.stop()
  }

  health(): Promise<api.Health> {
    return this.#link.health()
  }

  /** From now on the service refuses whoever owned the account before. @throws BrokerError STALE_LEASE */
  announceLease(epoch: number): Promise<api.AccountState> {
    return this.#gate.announceLease(epoch)
  }

  /** What waits at the service and was decided under an older trading state is not sent any more. @throws BrokerError */
  refuseOlder(tradingStateVersion: number): Promise<void> {
    return this.#gate.refuseOlder(tradingStateVersion)
  }

  placeOrder(intent: PlaceOrderIntent, beforeWrite?: BeforeWrite): Promise<PlaceOutcome> {
    return this.#orders.placeOrder(intent, beforeWrite)
  }

  cancelOrder(order: CancelOrderIntent, beforeWrite?: BeforeWrite): Promise<CancelOutcome> {
    return this.#orders.cancelOrder(order, beforeWrite)
  }

  amendOrder(order: AmendOrderIntent, beforeWrite?: BeforeWrite): Promise<AmendOutcome> {
    return this.#orders.amendOrder(order, beforeWrite)
  }

  queryOrder(order: { instrument: InstrumentId; clientOrderId: ClientOrderId }): Promise<QueryOutcome> {
    return this.#orders.queryOrder(order)
  }

  openOrders(instrument?: InstrumentId): Promise<readonly OrderReport[]> {
    return this.#orders.openOrders(instrument)
  }

  fills(query: { instrument: InstrumentId; afterTradeId?: string }): Promise<readonly FillReport[]> {
    return this.#account.fills(query)
  }

  fillsAfter(query: { after?: string; limit?: number }): Promise<FillPage> {
    return this.#account.fillsAfter(query)
  }

  balances(): Promise<readonly Balance[]> {
    return this.#account.balances()
  }

  positions(): Promise<readonly PositionReport[]> {
    return this.#account.positions()
  }

  subscribeOrders(listener: BrokerListener): { stop(): Promise<void> } {
    return this.#orders.subscribe(listener)
  }

  clockOffsetUs(): number {
    return this.#link.offsetUs
  }

  async venueTimeUs(): Promise<number> {
    return (await this.#link.ask({ method: 'GET', path: '/venue-time' }, READ.venueTime)).venueTimeUs
  }

  setGate(state: 'open' | 'halted', tradingStateVersion?: number): void {
    this.#gate.set(state, tradingStateVersion)
  }

  measureClock(): Promise<void> {
    return this.#link.measureClock()
  }

  instruments(wanted?: readonly InstrumentId[]): Promise<readonly Instrument[]> {
    return this.#marketData.instruments(wanted)
  }

  candles(query: CandleQuery): Promise<readonly Bar[]> {
    return this.#marketData.candles(query)
  }

  /** One answer of `POST /market-data/candles`, in the contract's own words. */
  candlePage(request: api.CandlesRequest): Promise<api.Candle[]> {
    return this.#marketData.candlePage(request)
  }

  trades(query: TradeQuery): Promise<readonly Trade[]> {
    return this.#marketData.trades(query)
  }

  quotes(instruments: readonly InstrumentId[]): Promise<readonly QuoteReport[]> {
    return this.#marketData.quotes(instruments)
  }

  orderBook(query: { instrument: InstrumentId; depth?: number; book?: BookScope }): Promise<OrderBookReport> {
    return this.#marketData.orderBook(query)
  }

  subscribe(subscriptions: readonly MarketSubscription[], listener: MarketListener): { stop(): Promise<void> } {
    return this.#marketData.subscribe(subscriptions, listener)
  }
}
