/** Asks the venue about one order: what became of a request without an answer, and what it has been silent about. */
import { BrokerError, type OrderReport, type QueryOutcome } from '@jts/broker-kit'
import type { Turn } from '@jts/transport'
import { decideAbsence, decideRenewal } from '../domain/decisions.ts'
import type { OrderRecord } from '../domain/order-record.ts'
import type { AccountState } from './account-state.ts'
import type { FillSearch } from './fill-search.ts'
import type { ForeignOrders } from './foreign-orders.ts'
import type { OrderSending } from './order-sending.ts'
import { queryOrder } from './order-query.ts'
import { expire } from './own-endings.ts'
import type { VenueReports } from './venue-reports.ts'

/** Two comparisons at the same moment are one. */
const MISSING_US = 1_000_000
/** From two seconds to the half minute in which an order with a limit is asked about takes four. */
const DOUBLED_MAX = 8

export class OrderInquiry {
  readonly #state: AccountState
  readonly #reports: VenueReports
  readonly #fillSearch: FillSearch
  readonly #sending: OrderSending
  readonly #foreign: ForeignOrders
  /** A report says that the order is open, which somebody may no longer want. */
  readonly #onReport: (record: OrderRecord, report: OrderReport, turn: Turn) => void
  /** Orders whose fate is being asked for: one asks for each, however often the stream comes up. */
  readonly #settling = new Map<OrderRecord, Promise<void>>()

  constructor(
    state: AccountState,
    reports: VenueReports,
    fillSearch: FillSearch,
    sending: OrderSending,
    foreign: ForeignOrders,
    { onReport }: { readonly onReport: (record: OrderRecord, report: OrderReport, turn: Turn) => void },
  ) {
    this.#state = state
    this.#reports = reports
    this.#fillSearch = fillSearch
    this.#sending = sending
    this.#foreign = foreign
    this.#onReport = onReport
  }

  /** Finds out what became of a request that was never answered; never sends it again. */
  settle(record: OrderRecord): Promise<void> {
    let settling = this.#settling.get(record)
    if (settling === undefined) {
      settling = this.#askUntilSettled(record).finally(() => this.#settling.delete(record))
      this.#settling.set(record, settling)
    }
    return settling
  }

  /**
   * Asks about open orders that the venue has been silent about. A market order fills at once, except where it waits for an auction:
   * what is found as it was is asked about ever more seldom, until it is asked about like an order with a limit.
   */
  checkQuiet(marketNowUs: number): void {
    const state = this.#state
    if (!state.ready || !state.orders.hasOpen) return
    const { quietMarketOrderUs, quietOrderUs } = state.options
    for (const record of state.orders.open) {
      if (record.isUnsettled || record.life.status === 'approved' || record.checking) continue
      const firstUs = record.terms.type === 'market' ? quietMarketOrderUs : quietOrderUs
      const limitUs = Math.min(firstUs * 2 ** Math.min(record.foundQuiet, DOUBLED_MAX), Math.max(firstUs, quietOrderUs))
      if (marketNowUs - record.lastNoticeUs <= limitUs) continue
      state.background(() => this.check(record))
    }
  }

  async check(record: OrderRecord): Promise<void> {
    const { log, marketClock } = this.#state.options
    record.checking = true
    const { cumulativeQuantity: filled } = record.life
    try {
      const outcome = await queryOrder(this.#state, record)
      record.lastNoticeUs = Math.max(record.lastNoticeUs, marketClock.nowUs())
      const isAsItWas = outcome.kind === 'found' && outcome.report.cumulativeQuantity === filled
      record.foundQuiet = isAsItWas ? record.foundQuiet + 1 : 0
      if (!record.isClosed && outcome.kind === 'found') await this.orLater(record, this.adopt(record, outcome))
      if (!record.isClosed && outcome.kind === 'not_found') {
        log.warn(
          { ...record.named },
          'the venue does not find an order it had accepted: the next comparisons will tell',
        )
      }
    } finally {
      record.checking = false
    }
  }

  /** What the venue has open and we do not: an order that was given up is adopted by its intent, a foreign one is told of. */
  async openAtVenue(): Promise<readonly OrderReport[]> {
    const { broker, store } = this.#state.options
    const reports = await broker.openOrders()
    for (const report of reports) {
      const record = this.#state.orders.ofReport(report)
      if (record?.isGivenUp === true) await this.adopt(record, { kind: 'found', report })
    }
    const foreign = reports.filter((report) => this.#state.orders.ofReport(report) === undefined)
    store.transact((turn) => this.#foreign.allOpen(foreign, turn))
    return reports
  }

  /** As `openAtVenue`; returns the orders that are open here and that the venue does not find, not even by a query. */
  async missingAtVenue(): Promise<readonly OrderRecord[]> {
    const accepted = this.#state.orders.open.filter(
      ({ isUnsettled, life }) => !isUnsettled && life.status !== 'approved',
    )
    const open = new Set((await this.openAtVenue()).map((report) => this.#state.orders.ofReport(report)))
    const missing: OrderRecord[] = []
    for (const record of accepted) {
      if (record.isClosed || open.has(record)) {
        record.missingSinceUs = 0
        continue
      }
      const outcome = await queryOrder(this.#state, record)
      if (outcome.kind === 'found') await this.adopt(record, outcome)
      if (outcome.kind === 'not_found' && !record.isClosed) missing.push(record)
    }
    return missing
  }

  /** A comparison has come off without it. The second one ends it: the fills that it had are booked by then. */
  missed(record: OrderRecord, turn: Turn): void {
    if (record.isClosed) return
    const { log, wallClock } = this.#state.options
    const nowUs = wallClock.nowUs()
    if (record.missingSinceUs === 0) record.missingSinceUs = nowUs
    if (nowUs - record.missingSinceUs < MISSING_US) return
    log.error({ ...record.named }, 'the venue no longer knows an order it had accepted: it is ended')
    record.lost = true
    const reason = 'the venue had accepted it and no longer knows it: not found in two comparisons'
    expire(this.#state, record, { code: 'NOT_FOUND', reason }, turn)
  }

  /** Takes over what the venue has found: its id, its fills, its end. */
  async adopt(record: OrderRecord, outcome: QueryOutcome): Promise<void> {
    if (outcome.kind !== 'found') return
    const { store } = this.#state.options
    const { report } = outcome
    store.transact((turn) => this.#reports.bind(record, report, turn))
    await this.#fillSearch.ofReport(record, report)
    store.transact((turn) => {
      this.#reports.apply(record, report, turn)
      this.#onReport(record, report, turn)
    })
  }

  /** A venue that does not answer now is asked again when the order stays quiet. */
  async orLater(record: OrderRecord, work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      const { log } = this.#state.options
      log.warn({ ...record.named, err: error }, 'an order could not be asked about')
    }
  }

  async #askUntilSettled(record: OrderRecord): Promise<void> {
    const state = this.#state
    const { broker, wallClock, store } = state.options
    for (let absences = 0; record.isUnsettled && !state.stopped;) {
      const venueNowUs = await this.#venueNowUs()
      const outcome = await queryOrder(this.#state, record)
      if (!record.isUnsettled || state.stopped) return
      const decision = decideAbsence(record, outcome, broker.capabilities, venueNowUs, absences)
      if (decision.kind === 'settled') return this.orLater(record, this.adopt(record, outcome))
      if (decision.kind !== 'ask-again') return store.transact((turn) => this.#absent(record, decision.kind, turn))
      absences = decision.absences
      await new Promise<void>((resolve) => wallClock.after(decision.afterMs, resolve))
    }
  }

  /**
   * The venue's own clock, asked now, where its word is a proof: what we believe it to be is off by every step of our own clock
   * since it was measured. Undefined when it does not answer.
   */
  async #venueNowUs(): Promise<number | undefined> {
    const { broker } = this.#state.options
    if (broker.capabilities.absenceProof === 'none') return this.#state.venueNowUs()
    try {
      return await broker.venueTimeUs?.()
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      return undefined
    }
  }

  #absent(record: OrderRecord, absence: 'absent' | 'not-found', turn: Turn): void {
    const { log, marketClock } = this.#state.options
    const decision = decideRenewal(record, absence, marketClock.nowUs())
    if (decision.kind === 'expired') {
      return expire(this.#state, record, { code: 'NOT_FOUND', reason: decision.reason }, turn)
    }
    log.warn(
      { ...record.named, request: record.request?.number },
      'the venue has proved that the request never arrived: one new request',
    )
    record.renewed = true
    this.#sending.requeue(record, turn)
    this.#sending.sendNext(turn)
  }
}
