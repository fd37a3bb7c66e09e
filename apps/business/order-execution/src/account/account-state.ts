/** What the parts of one account's order execution share: its orders, its known fills, whether it may send, and how it speaks. */
import type { BrokerPort, PlaceOutcome } from '@jts/broker-kit'
import type { NewEvent } from '@jts/contracts'
import type { AccountId, InstrumentId, StrategyInstanceId } from '@jts/model'
import type { Activity, Logger, MarketClock, WallClock } from '@jts/runtime'
import type { Store, Turn } from '@jts/transport'
import { accounts } from '../adapters/tables.ts'
import type { OrderState } from '../domain/account-states.ts'
import type { ForeignOrders } from '../domain/foreign-orders.ts'
import { Adjustments } from '../domain/adjustments.ts'
import { fillCursorFor, type FillCursor } from '../domain/fill-cursor.ts'
import type { OrderRecord, OrderTermsRecord } from '../domain/order-record.ts'
import { AccountOrders } from './account-orders.ts'

export type AccountExecutionOptions = {
  readonly account: AccountId
  readonly broker: BrokerPort
  readonly store: Store
  readonly marketClock: MarketClock
  readonly wallClock: WallClock
  readonly activity: Activity
  readonly log: Logger
  /** Instruments that this account trades: their fills are asked for. */
  readonly instruments: readonly InstrumentId[]
  /** Wall time from an intent to the last moment at which it may be written to the wire, µs. */
  readonly sendWindowUs: number
  /** Market time without a word about an open order after which the venue is asked, µs. */
  readonly quietMarketOrderUs: number
  readonly quietOrderUs: number
  /** What an order of this strategy in this instrument meets now. */
  readonly tradingState: (instrument: InstrumentId, strategy: StrategyInstanceId) => OrderState
  /** What is done about orders that JTS has not made (`alert`). */
  readonly foreignOrders?: ForeignOrders
  /** Such an order was found where that blocks the account. */
  readonly onForeign?: (reason: string, turn: Turn) => void
  /** By which a broker service tells an intent that was written before a later word. */
  readonly tradingStateVersion: () => number
  /** Real-time figures: the request is about to be written; it was answered. */
  readonly onSent?: (order: OrderTermsRecord) => string | undefined
  readonly onAnswered?: (order: OrderTermsRecord, outcome: PlaceOutcome['kind']) => void
}

export class AccountState {
  readonly options: AccountExecutionOptions
  readonly account: AccountId
  readonly orders: AccountOrders
  readonly cursor: FillCursor
  /** The opening balance is booked. */
  opened = false
  fillCount = 0
  readonly adjustments = new Adjustments()
  /** The order stream is up and everything missed has been asked for: only then requests are sent. */
  ready = false
  stopped = false
  /** The order whose request is on its way. */
  sending: OrderRecord | undefined

  constructor(options: AccountExecutionOptions) {
    this.options = options
    this.account = options.account
    this.orders = new AccountOrders(options.account)
    this.cursor = fillCursorFor(options.broker.capabilities.fills?.idSource ?? 'venue')
  }

  /** Under which its work is counted before a lock-step replay goes on. */
  get activityName(): string {
    return `order-execution ${this.account}`
  }

  /** Everything booked so far: the same before and after the balances are read, they are of one moment. */
  get bookings(): number {
    return this.fillCount + this.adjustments.count
  }

  venueNowUs(): number {
    return this.options.wallClock.nowUs() + this.options.broker.clockOffsetUs()
  }

  notReady(): void {
    this.ready = false
    this.options.activity.absent(this.activityName)
  }

  /** Work that nobody waits for: after a stop its end no longer matters, before it a failure of ours is loud. */
  background(work: () => Promise<void>): void {
    void this.options.activity.during(this.activityName, work).catch((error: unknown) => {
      if (!this.stopped) throw error
    })
  }

  publish(turn: Turn, record: OrderRecord, timeEventUs: number, event: Pick<NewEvent, 'type' | 'payload'>): void {
    turn.publish('orders.events', {
      ...event,
      stream: this.account,
      account: this.account,
      correlationId: record.terms.correlationId,
      causationId: record.request?.clientOrderId ?? record.terms.approvedBy,
      timeEventUs,
    } as NewEvent)
  }

  keep(turn: Turn): void {
    turn.put(accounts, {
      account: this.account,
      opened: this.opened ? 1 : 0,
      fill_count: this.fillCount,
      cursors: this.cursor.toText(),
    })
  }
}
