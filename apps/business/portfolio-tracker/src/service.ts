/**
 * Portfolio tracker (C): folds orders.events into one ledger an account, values it at the last prices, and compares it with
 * the broker's balances.
 */
import { fillOfEvent, RpcError, type BusEvent, type BusEventOf, type PortfolioApi, type Topic } from '@jts/contracts'
import type {
  AccountView,
  Empty,
  PortfolioRequest,
  PortfolioResponse,
  PositionUpdate,
  PositionView,
} from '@jts/contracts/portfolio-api'
import {
  accountId,
  formatUnits,
  KrxCalendar,
  kstDateOf,
  Ledger,
  parseUnits,
  instrumentByName,
  type Instrument,
  type InstrumentId,
  type LedgerPlain,
} from '@jts/model'
import type { Logger, MarketClock } from '@jts/runtime'
import type { Bus, Store, Turn } from '@jts/transport'
import { ledgers, marks, settlements, type LedgerRow } from './adapters/tables.ts'
import { compareBalances, differenceText, holdings, type Difference } from './domain/reconcile.ts'
import { Settlement, settlesLater, type SettlementPlain } from './domain/settlements.ts'
import { accountView } from './domain/view.ts'

export type PortfolioTrackerOptions = {
  readonly store: Store
  readonly bus: Bus
  /** What day it is, where cash settles by the day. */
  readonly marketClock: MarketClock
  readonly log: Logger
  readonly instruments: readonly Instrument[]
  readonly marketTopics: readonly Topic[]
  /** The trading days of the KRX; the shipped ones when not given. */
  readonly calendar?: KrxCalendar
  /** The currency that an account's equity is told in. */
  readonly equityCurrencyOf: (account: string) => string
}

export type PortfolioTracker = {
  readonly api: PortfolioApi
  /** The differences that stood in the last comparison of this account with its broker. */
  differences(account: string): readonly Difference[]
  start(): Promise<void>
}

type Account = {
  readonly ledger: Ledger
  /** Where its market settles later than it trades. */
  settlement?: Settlement
  fillCount: number
  reconciled: string
  /** Of the last comparison that counted. */
  differences: readonly Difference[]
  /** What was last said to stand; undefined after a start, when it is said again. */
  confirmed?: string
}

/** An account as it was last written. */
type Kept = { readonly row: LedgerRow; readonly settlement: string | undefined }

/** Updates that a slow reader may be behind before it is told so and let go. */
const UPDATES_BEHIND_MAX = 10_000

export function createPortfolioTracker(options: PortfolioTrackerOptions): PortfolioTracker {
  const service = new Service(options)
  options.store.ensure([ledgers, marks, settlements] as never[])
  options.bus.subscribe({
    group: 'portfolio-tracker',
    topics: [...options.marketTopics, 'orders.events'],
    handle: (event, turn) => service.handle(event, turn),
  })
  return { api: service, differences: (account) => service.differences(account), start: () => service.restore() }
}

class Service implements PortfolioApi {
  readonly #options: PortfolioTrackerOptions
  readonly #instruments: Map<string, Instrument>
  readonly #accounts = new Map<string, Account>()
  readonly #kept = new Map<string, Kept>()
  readonly #marks = new Map<string, number>()
  /** When each was said, µs. */
  readonly #markedUs = new Map<string, number>()
  readonly #calendar: KrxCalendar
  readonly #listeners = new Set<(update: PositionUpdate) => void>()

  constructor(options: PortfolioTrackerOptions) {
    this.#options = options
    this.#calendar = options.calendar ?? new KrxCalendar()
    this.#instruments = new Map(options.instruments.map((instrument) => [instrument.id, instrument]))
  }

  async restore(): Promise<void> {
    const { store } = this.#options
    const settlementOf = new Map((await store.all(settlements)).map((row) => [row.account, row.settlement]))
    for (const row of await store.all(ledgers)) {
      this.#putBack(row.account, { row, settlement: settlementOf.get(row.account) })
    }
    for (const { ledger } of this.#accounts.values()) {
      for (const { instrument } of ledger.positions()) this.#instrumentOf(instrument)
    }
    for (const row of await store.all(marks)) {
      this.#marks.set(row.instrument, row.price)
      this.#markedUs.set(row.instrument, row.time_us)
    }
  }

  differences(account: string): readonly Difference[] {
    return this.#accounts.get(account)?.differences ?? []
  }

  /** What cannot be taken changes nothing: it may be given again. */
  handle(event: BusEvent, turn: Turn): void {
    const before = this.#kept.get(event.stream)
    try {
      this.#fold(event, turn)
    } catch (error) {
      if (event.topic === 'orders.events') this.#putBack(event.stream, before)
      throw error
    }
  }

  #fold(event: BusEvent, turn: Turn): void {
    switch (event.type) {
      case 'Candle': {
        const { instrument, close, closeTimeUs } = event.payload
        return this.#mark(instrument, close, closeTimeUs, turn)
      }
      case 'PublicTrade': {
        const { instrument, price, timeUs } = event.payload
        return this.#mark(instrument, price, timeUs, turn)
      }
      case 'OpeningBalance': {
        const account = this.#account(event.stream)
        account.ledger.open(
          Object.fromEntries(event.payload.balances.map((one) => [one.currency, parseUnits(one.amount)])),
        )
        if (account.settlement !== undefined) turn.remove(settlements, { account: event.stream })
        delete account.settlement
        return this.#keep(account, turn)
      }
      case 'OrderFilled':
      case 'ForeignFill':
        return this.#book(event, turn)
      case 'BalanceAdjusted':
        return this.#adjust(event, turn)
      case 'BalancesReported':
        return this.#compare(event, turn)
      default:
        return
    }
  }

  getCurrentPortfolio(request: PortfolioRequest): Promise<PortfolioResponse> {
    if (request.account !== '' && !this.#accounts.has(request.account)) {
      return Promise.reject(
        new RpcError(
          'NOT_FOUND',
          `account: expected an account with a ledger, found ${JSON.stringify(request.account)}`,
        ),
      )
    }
    const accounts = [...this.#accounts.values()].filter(
      ({ ledger }) => request.account === '' || ledger.account === request.account,
    )
    return Promise.resolve({ accounts: accounts.map((account) => this.#view(account)) })
  }

  async *streamPositionUpdates(_request: Empty, signal: AbortSignal): AsyncIterable<PositionUpdate> {
    const queue: PositionUpdate[] = []
    let wake: () => void = () => undefined
    const listener = (update: PositionUpdate) => {
      queue.push(update)
      // Nothing more is kept for a reader that has stopped reading.
      if (queue.length > UPDATES_BEHIND_MAX) this.#listeners.delete(listener)
      wake()
    }
    this.#listeners.add(listener)
    signal.addEventListener('abort', () => wake(), { once: true })
    try {
      for (const account of this.#accounts.values()) {
        for (const position of this.#view(account).positions) yield { position, timeEventUs: 0 }
      }
      while (!signal.aborted) {
        if (queue.length > UPDATES_BEHIND_MAX) throw new RpcError('UNAVAILABLE', 'too slow: updates were left unread')
        const next = queue.shift()
        if (next !== undefined) yield next
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      this.#listeners.delete(listener)
    }
  }

  #mark(instrument: string, price: number, timeUs: number, turn: Turn): void {
    // A candle collected afterwards is history: what the market said since stands.
    if (timeUs < (this.#markedUs.get(instrument) ?? 0)) return
    this.#marks.set(instrument, price)
    this.#markedUs.set(instrument, timeUs)
    turn.put(marks, { instrument, price, time_us: timeUs })
  }

  #book(event: BusEventOf<'OrderFilled'> | BusEventOf<'ForeignFill'>, turn: Turn): void {
    const fill = fillOfEvent(event)
    const instrument = this.#instrumentOf(fill.instrument)
    const account = this.#account(event.stream)
    if (settlesLater(fill)) {
      const settlement = this.#settlementOf(account)
      const before = account.ledger.cashOf(settlement.currency)
      account.ledger.applyFill(fill, instrument)
      settlement.book(fill, account.ledger.cashOf(settlement.currency) - before, this.#calendar)
    } else account.ledger.applyFill(fill, instrument)
    account.fillCount++
    this.#keep(account, turn)
    const position = account.ledger.position(fill.strategy, fill.instrument)
    turn.publish('portfolio.positions', {
      type: 'PositionChanged',
      stream: `${event.stream}:${fill.instrument}`,
      account: event.stream,
      correlationId: event.correlationId,
      causationId: event.eventId,
      timeEventUs: event.timeEventUs,
      payload: {
        account: event.stream,
        instrument: fill.instrument,
        strategy: fill.strategy,
        quantity: formatUnits(position.quantity),
        totalCost: formatUnits(position.totalCost),
        realisedPnl: formatUnits(position.realisedPnl),
      },
    })
    if (this.#listeners.size > 0) {
      const view = this.#view(account).positions.find(
        (one) => one.strategy === fill.strategy && one.instrument === fill.instrument,
      ) as PositionView
      turn.afterCommit(() => {
        for (const listener of this.#listeners) listener({ position: view, timeEventUs: event.timeEventUs })
      })
    }
  }

  #adjust({ stream, payload }: BusEventOf<'BalanceAdjusted'>, turn: Turn): void {
    const account = this.#account(stream)
    const amount = parseUnits(payload.amount)
    account.ledger.adjust(payload.currency, amount)
    if (account.settlement?.currency === payload.currency) account.settlement.adjust(amount)
    this.#keep(account, turn)
  }

  /** A comparison counts only at the same fill cursor; a difference must stand in two comparisons before it is one. */
  #compare(event: BusEventOf<'BalancesReported'>, turn: Turn): void {
    const account = this.#account(event.stream)
    const isSameCount = event.payload.fillCount === account.fillCount
    for (const said of event.payload.cash) this.#settlementOf(account).hear(said, event.timeEventUs, isSameCount)
    if (!isSameCount) return event.payload.cash.length === 0 ? undefined : this.#keep(account, turn)
    const venue = new Map(event.payload.balances.map((one) => [one.currency, parseUnits(one.amount)]))
    const differences = compareBalances(holdings(account.ledger, this.#instruments), venue)
    const stands = JSON.stringify(account.differences) === JSON.stringify(differences)
    account.differences = differences
    if (differences.length === 0 || stands) this.#confirm(account, event, turn)
    this.#keep(account, turn)
  }

  /** What is confirmed is said once, until something else is: risk holds what differs, and the operator is told. */
  #confirm(account: Account, event: BusEventOf<'BalancesReported'>, turn: Turn): void {
    const { differences } = account
    const equal = differences.length === 0
    const said = JSON.stringify(differences)
    const before = account.reconciled
    account.reconciled = equal ? 'equal' : 'different'
    if (account.confirmed === said || (equal && before === 'equal')) return
    account.confirmed = said
    const about = {
      account: event.stream,
      correlationId: event.correlationId,
      causationId: event.eventId,
      timeEventUs: event.timeEventUs,
    }
    turn.publish('portfolio.positions', {
      ...about,
      type: 'ReconciliationReported',
      stream: event.stream,
      payload: { equal, differences: differences.map((one) => ({ ...one })), fillCount: event.payload.fillCount },
    })
    if (equal && before !== 'different') return
    const found = differences.map((one) => differenceText(event.stream, one))
    const reason = equal ? `${event.stream}: the ledger and the broker agree again` : found.join('; ')
    if (!equal) this.#options.log.error({ account: event.stream, differences }, 'the ledger differs from the broker')
    turn.publish('system.health', {
      ...about,
      type: 'ServiceHealth',
      stream: 'portfolio-tracker',
      payload: { service: 'portfolio-tracker', state: equal ? 'up' : 'degraded', reason },
    })
  }

  /** A person may trade by hand what is not configured here: its currencies follow from its symbol. */
  #instrumentOf(id: InstrumentId): Instrument {
    let instrument = this.#instruments.get(id)
    if (instrument === undefined) this.#instruments.set(id, (instrument = instrumentByName(id)))
    return instrument
  }

  #account(id: string): Account {
    let account = this.#accounts.get(id)
    if (account === undefined) {
      account = { ledger: new Ledger(accountId(id)), fillCount: 0, reconciled: 'unchecked', differences: [] }
      this.#accounts.set(id, account)
    }
    return account
  }

  /** All that is there when its first trade is booked, or its broker first speaks of it, counts as settled until it says otherwise. */
  #settlementOf(account: Account): Settlement {
    return (account.settlement ??= new Settlement(account.ledger.cashOf('KRW')))
  }

  #view(account: Account): AccountView {
    return accountView({
      ledger: account.ledger,
      fillCount: account.fillCount,
      reconciled: account.reconciled,
      differences: account.differences,
      marks: this.#marks,
      instruments: this.#instruments,
      equityCurrency: this.#options.equityCurrencyOf(account.ledger.account),
      settlement: account.settlement?.view(kstDateOf(this.#options.marketClock.nowUs())),
    })
  }

  #keep({ ledger, settlement, ...account }: Account, turn: Turn): void {
    const row = {
      account: ledger.account,
      ledger: JSON.stringify(ledger.toPlain()),
      fill_count: account.fillCount,
      reconciled: account.reconciled,
      differences: JSON.stringify(account.differences),
    }
    turn.put(ledgers, row)
    const settlementText = settlement && JSON.stringify(settlement.toPlain())
    if (settlementText !== undefined) turn.put(settlements, { account: row.account, settlement: settlementText })
    this.#kept.set(row.account, { row, settlement: settlementText })
  }

  #putBack(id: string, kept: Kept | undefined): void {
    this.#accounts.delete(id)
    this.#kept.delete(id)
    if (kept === undefined) return
    const { row, settlement } = kept
    this.#kept.set(id, kept)
    this.#accounts.set(id, {
      ledger: Ledger.fromPlain(JSON.parse(row.ledger) as LedgerPlain),
      ...(settlement === undefined ? {} : { settlement: new Settlement(JSON.parse(settlement) as SettlementPlain) }),
      fillCount: row.fill_count,
      reconciled: row.reconciled,
      differences: JSON.parse(row.differences) as Difference[],
    })
  }
}
