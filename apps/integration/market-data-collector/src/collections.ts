/**
 * Collections of past candles: begun by a person or by the calendar, one at a time for each venue. A run is on disk from its
 * first moment to its end, so that a process that was killed goes on with it.
 */
import type { MarketDataPort } from '@jts/broker-kit'
import { RpcError, type CollectionApi } from '@jts/contracts'
import {
  Collection,
  type CancelCollectionRequest,
  type CollectRequest,
  type LatestCandlesRequest,
  type LatestCandlesResponse,
  type ListCollectionsResponse,
} from '@jts/contracts/collection-api'
import { instrumentId, instrumentVenue, timeframeUs, type InstrumentId, type KrxSessions } from '@jts/model'
import type { Activity, Logger, WallClock } from '@jts/runtime'
import type { Store } from '@jts/transport'
import { collectionCounts, collectionFailures, collectionRuns, progress, scheduledSeries } from './adapters/tables.ts'
import { whenNotAway } from './collectors/away.ts'
import type { DataCollector } from './collectors/collector.ts'
import { BinanceDataCollector } from './collectors/binance.collector.ts'
import { CreonDataCollector } from './collectors/creon.collector.ts'
import { DayError, dueDay, nextDueUs, rangeOfDays, type DailySchedule } from './domain/collection-days.ts'
import { LatestCandles } from './latest-candles.ts'

/** What the calendar collects of a venue, besides what is traded there. */
export type ScheduledCollection = DailySchedule & {
  readonly instruments: readonly InstrumentId[]
  readonly markets: readonly string[]
  readonly timeframes: readonly string[]
}

export type CollectionVenue = {
  readonly venue: string
  readonly source: Pick<MarketDataPort, 'candles' | 'instruments'>
  readonly traded: readonly InstrumentId[]
  /** Series that are told from the venue's stream: their candles are kept, and not told a second time. */
  readonly live: readonly { readonly instrument: InstrumentId; readonly timeframe?: string | undefined }[]
  /** Whether this process writes the streams of an instrument; another one does the rest of a run. */
  readonly owns?: (instrument: InstrumentId) => boolean
  readonly schedule?: ScheduledCollection | undefined
}

export type CollectionsOptions = {
  readonly store: Store
  readonly wallClock: WallClock
  readonly activity: Activity
  readonly log: Logger
  readonly venues: readonly CollectionVenue[]
  readonly retryMs?: number
  /** A simulated market that never closes, whatever its calendar says. */
  readonly alwaysOpen?: boolean
  /** The hours of the KRX as they are configured; without them the shipped ones. */
  readonly sessions?: KrxSessions | undefined
}

export type Collections = {
  readonly api: CollectionApi
  start(): Promise<void>
  stop(): Promise<void>
}

const LOOK_AT_CALENDAR_MS = 20_000

export function createCollections(options: CollectionsOptions): Collections {
  options.store.ensure([collectionRuns, collectionCounts, collectionFailures, scheduledSeries, progress] as never[])
  return new Service(options)
}

/** What of it is known by itself: when the next one comes, the calendar says. */
type Run = Omit<Collection, 'nextUs'>

type Wanted = Pick<CollectRequest, 'instruments' | 'markets' | 'timeframe' | 'fromDay' | 'toDay'>

class Service implements Collections {
  readonly api: CollectionApi = {
    collect: (request) => this.#collect(request),
    listCollections: () => this.#list(),
    cancelCollection: (request) => this.#cancel(request),
    latestCandles: (request) => this.#latestCandles(request),
  }
  readonly #options: CollectionsOptions
  readonly #runs = new Map<string, VenueRuns>()
  #calendar: { cancel(): void } | undefined

  constructor(options: CollectionsOptions) {
    this.#options = options
    for (const venue of options.venues) this.#runs.set(venue.venue, new VenueRuns(venue, options))
  }

  async start(): Promise<void> {
    for (const runs of this.#runs.values()) await runs.restore()
    this.#lookAtCalendar()
  }

  async stop(): Promise<void> {
    this.#calendar?.cancel()
    await Promise.all([...this.#runs.values()].map((runs) => runs.stop()))
  }

  #lookAtCalendar(): void {
    for (const runs of this.#runs.values()) runs.beginWhatIsDue()
    this.#calendar = this.#options.wallClock.after(LOOK_AT_CALENDAR_MS, () => this.#lookAtCalendar())
  }

  async #collect({ venue, ...wanted }: CollectRequest): Promise<ListCollectionsResponse> {
    const chosen = venue === '' ? [...this.#runs.values()] : [this.#of(venue)]
    // Nothing begins unless all of it can.
    for (const runs of chosen) runs.check(wanted)
    for (const runs of chosen) runs.begin(wanted, 'person')
    await this.#options.store.durable()
    return { collections: chosen.flatMap((runs) => runs.view()) }
  }

  async #cancel({ venue }: CancelCollectionRequest): Promise<ListCollectionsResponse> {
    const runs = this.#of(venue)
    await runs.cancel()
    return { collections: runs.view() }
  }

  #list(): Promise<ListCollectionsResponse> {
    return Promise.resolve({ collections: [...this.#runs.values()].flatMap((runs) => runs.view()) })
  }

  async #latestCandles(request: LatestCandlesRequest): Promise<LatestCandlesResponse> {
    const instrument = parsed(() => instrumentId(request.instrument))
    if (instrument === undefined) {
      const found = JSON.stringify(request.instrument)
      throw new RpcError('INVALID_ARGUMENT', `instrument: expected one such as KRX:005930, found ${found}`)
    }
    return await this.#of(instrumentVenue(instrument)).latestCandles(instrument, request)
  }

  #of(venue: string): VenueRuns {
    const runs = this.#runs.get(venue)
    if (runs !== undefined) return runs
    const known = [...this.#runs.keys()].join(', ') || 'no venue at all'
    throw new RpcError('INVALID_ARGUMENT', `venue: expected one of ${known}, found ${JSON.stringify(venue)}`)
  }
}

/** The runs of one venue, one after the other. */
class VenueRuns {
  readonly #venue: CollectionVenue
  readonly #options: CollectionsOptions
  readonly #collector: DataCollector
  readonly #latest: LatestCandles
  /** The newest, running or ended. */
  #run: Run | undefined
  #request = ''
  /** By timeframe, the last day that the calendar has begun. */
  readonly #scheduled = new Map<string, string>()
  #abort = new AbortController()
  #isPersonsEnd = false
  #going: Promise<void> = Promise.resolve()

  constructor(venue: CollectionVenue, options: CollectionsOptions) {
    this.#venue = venue
    this.#options = options
    const { store, wallClock, log, retryMs, alwaysOpen = false, sessions } = options
    const common = { store, wallClock, log, ...(retryMs === undefined ? {} : { retryMs }) }
    this.#collector =
      venue.venue === 'KRX'
        ? new CreonDataCollector({ ...common, alwaysOpen, sessions, creonClient: venue.source })
        : new BinanceDataCollector({ ...common, source: venue.source })
    const isLive = (instrument: string, timeframe: string): boolean =>
      venue.live.some((one) => one.instrument === instrument && one.timeframe === timeframe)
    this.#latest = new LatestCandles({ store, alwaysOpen, sessions, source: venue.source, isLive })
  }

  async latestCandles(instrument: InstrumentId, request: LatestCandlesRequest): Promise<LatestCandlesResponse> {
    if (this.#venue.owns?.(instrument) === false)
      throw new RpcError('NOT_FOUND', `${instrument} is of another part of ${this.#venue.venue}`)
    return await this.#latest.answer(instrument, request)
  }

  view(): Collection[] {
    const nextUs = this.#nextUs()
    if (this.#run !== undefined) return [{ ...this.#run, failures: [...this.#run.failures], nextUs }]
    if (nextUs === 0) return []
    const { schedule, venue } = this.#venue
    const timeframe = schedule!.timeframes.join(', ')
    return [Collection.create({ venue, timeframe, state: 'scheduled', by: 'schedule', nextUs })]
  }

  #nextUs(): number {
    const { schedule, venue } = this.#venue
    const nowUs = this.#options.wallClock.nowUs()
    const next = (schedule?.timeframes ?? []).map(
      (timeframe) =>
        nextDueUs(venue, schedule!, this.#scheduled.get(timeframe), nowUs, this.#options.sessions?.calendar) ??
        Infinity,
    )
    const first = Math.min(...next)
    return first === Infinity ? 0 : first
  }

  async restore(): Promise<void> {
    const { store } = this.#options
    const isOwn = ({ venue }: { readonly venue: string }): boolean => venue === this.#venue.venue
    for (const { timeframe, day } of (await store.all(scheduledSeries)).filter(isOwn)) {
      this.#scheduled.set(timeframe, day)
    }
    const row = (await store.all(collectionRuns)).find(isOwn)
    if (row === undefined) return
    const counts = (await store.all(collectionCounts)).find(isOwn)
    const failures = (await store.all(collectionFailures)).filter(isOwn)
    const wanted = JSON.parse(row.request) as Wanted
    this.#request = row.request
    this.#run = {
      ...{ venue: row.venue, timeframe: wanted.timeframe, fromDay: wanted.fromDay, toDay: wanted.toDay },
      ...{ state: row.state, reason: row.reason, by: row.by, total: row.total },
      ...{ startedUs: row.started_us, endedUs: row.ended_us },
      ...{ candles: counts?.candles ?? 0, gaps: counts?.gaps ?? 0 },
      done: row.state === 'done' ? row.total : failures.length,
      failures: failures.map(({ instrument, reason, attempts }) => ({ instrument, reason, attempts })),
    }
    if (row.state === 'running') this.#go(wanted)
  }

  /** @throws RpcError when it could not begin */
  check(wanted: Wanted): void {
    const { venue } = this.#venue
    const badly = (message: string): RpcError => new RpcError('INVALID_ARGUMENT', message)
    for (const one of wanted.instruments) {
      const found = parsed(() => instrumentId(one))
      if (found === undefined || instrumentVenue(found) !== venue)
        throw badly(`instruments: expected instruments of ${venue}, found ${JSON.stringify(one)}`)
    }
    if (wanted.markets.length > 0 && venue !== 'KRX')
      throw badly(`markets: expected none at ${venue}, which has no parts, found ${wanted.markets.join(', ')}`)
    if (parsed(() => timeframeUs(wanted.timeframe)) === undefined)
      throw badly(`timeframe: expected one such as 1m or 1d, found ${JSON.stringify(wanted.timeframe)}`)
    try {
      rangeOfDays(venue, wanted, this.#options.wallClock.nowUs(), this.#options.sessions?.calendar)
    } catch (error) {
      throw error instanceof DayError ? badly(error.message) : error
    }
    if (this.#run?.state === 'running' && requestText(wanted) !== this.#request) {
      const { timeframe, done, total } = this.#run
      const busy = `a collection of ${venue} (${timeframe}, ${done} of ${total}) is running`
      throw new RpcError('FAILED_PRECONDITION', `${busy}: let it end, or cancel it first`)
    }
  }

  begin(wanted: Wanted, by: 'person' | 'schedule', scheduledDay?: string): void {
    if (this.#run?.state === 'running') return
    const { store, wallClock, log } = this.#options
    const { venue } = this.#venue
    this.#request = requestText(wanted)
    for (const { instrument } of this.#run?.failures ?? []) {
      store.transact((turn) => turn.remove(collectionFailures, { venue, instrument }))
    }
    const { timeframe, fromDay, toDay } = wanted
    this.#run = {
      ...{ venue, timeframe, fromDay, toDay, state: 'running', reason: '', by },
      ...{ total: 0, done: 0, candles: 0, gaps: 0, failures: [], startedUs: wallClock.nowUs(), endedUs: 0 },
    }
    store.transact((turn) => {
      turn.put(collectionCounts, { venue, candles: 0, gaps: 0 })
      if (scheduledDay !== undefined) turn.put(scheduledSeries, { venue, timeframe, day: scheduledDay })
      turn.put(collectionRuns, this.#row())
    }, 'durable')
    log.info({ venue, timeframe, fromDay, toDay, by }, 'a collection of candles begins')
    this.#go(wanted)
  }

  /** What the calendar wants: one run a timeframe, one after the other, each once a day. */
  beginWhatIsDue(): void {
    const { schedule, traded, venue } = this.#venue
    if (schedule === undefined || this.#run?.state === 'running') return
    for (const timeframe of schedule.timeframes) {
      const { sessions, wallClock } = this.#options
      const day = dueDay(venue, schedule, this.#scheduled.get(timeframe), wallClock.nowUs(), sessions?.calendar)
      if (day === undefined) continue
      this.#scheduled.set(timeframe, day)
      const instruments = [...new Set([...traded, ...schedule.instruments])]
      const wanted = { instruments, markets: [...schedule.markets], timeframe, fromDay: '', toDay: '' }
      return this.begin(wanted, 'schedule', day)
    }
  }

  async cancel(): Promise<void> {
    this.#isPersonsEnd = true
    this.#abort.abort()
    await this.#going
  }

  /** A run that has not ended goes on at the next start. */
  async stop(): Promise<void> {
    this.#abort.abort()
    await this.#going
  }

  #go(wanted: Wanted): void {
    this.#abort = new AbortController()
    this.#isPersonsEnd = false
    this.#going = this.#carryOut(wanted).catch((error: unknown) => this.#fail((error as Error).message))
  }

  async #carryOut(wanted: Wanted): Promise<void> {
    const { store, log } = this.#options
    const { venue } = this.#venue
    const run = this.#run!
    const instruments = await this.#instrumentsOf(wanted)
    if (this.#abort.signal.aborted && !this.#isPersonsEnd) return
    run.total = instruments.length
    const givenUp = new Set(run.failures.map(({ instrument }) => instrument))
    const base = givenUp.size
    const told = new Map((await store.all(progress)).map((row) => [keyOf(row.instrument, row.timeframe), row]))
    const live = new Set(this.#venue.live.map((one) => keyOf(one.instrument, one.timeframe ?? '')))
    const left = instruments.filter((instrument) => !givenUp.has(instrument))
    const report = await this.#collector.collectCandles(left, wanted, {
      signal: this.#abort.signal,
      isQuiet: (instrument, timeframe, closeTimeUs) => {
        const key = keyOf(instrument, timeframe)
        return live.has(key) || closeTimeUs <= (told.get(key)?.close_time_us ?? 0)
      },
      onProgress: ({ done }) => (run.done = base + done),
      onWaiting: (reason) => (run.reason = reason),
      onPublished: (turn, { candles, gaps }) => {
        run.candles += candles
        run.gaps += gaps
        turn.put(collectionCounts, { venue, candles: run.candles, gaps: run.gaps })
      },
      onFailed: (turn, { instrument, reason, attempts }) => {
        run.failures.push({ instrument, reason, attempts })
        turn.put(collectionFailures, { venue, instrument, reason, attempts })
      },
    })
    if (report.isCancelled && !this.#isPersonsEnd) return
    run.done = report.isCancelled ? run.done : run.total
    this.#end(report.isCancelled ? 'cancelled' : 'done', '')
    const { timeframe, total, done, candles, gaps, failures } = run
    const failed = failures.length
    log[failed > 0 ? 'warn' : 'info'](
      { venue, timeframe, total, done, candles, gaps, failed },
      failed > 0 ? 'a collection has ended, and some of it failed: see the dead letters' : 'a collection has ended',
    )
  }

  #end(state: 'done' | 'cancelled' | 'failed', reason: string): void {
    Object.assign(this.#run!, { state, reason, endedUs: this.#options.wallClock.nowUs() })
    this.#options.store.transact((turn) => turn.put(collectionRuns, this.#row()), 'durable')
  }

  #fail(reason: string): void {
    if (this.#abort.signal.aborted) return this.#isPersonsEnd ? this.#end('cancelled', '') : undefined
    this.#end('failed', reason)
    this.#options.log.error({ venue: this.#venue.venue, reason }, 'a collection could not be carried out')
  }

  #row() {
    const { venue, by, state, reason, total, startedUs, endedUs } = this.#run!
    return { venue, request: this.#request, by, state, reason, total, started_us: startedUs, ended_us: endedUs }
  }

  /** Of a whole market only its broker knows what is listed. */
  async #instrumentsOf({ instruments, markets }: Wanted): Promise<InstrumentId[]> {
    const { source, traded, owns = () => true, venue } = this.#venue
    const named = instruments.map((one) => instrumentId(one))
    let listed: InstrumentId[] = []
    if (markets.length > 0) {
      const all = await whenNotAway(() => source.instruments(), {
        wallClock: this.#options.wallClock,
        signal: this.#abort.signal,
        onWaiting: (reason) => (this.#run!.reason = reason),
      })
      const known = [...new Set(all.map(({ listing }) => listing?.market as string | undefined))].filter(Boolean)
      const unknown = markets.find((market) => !known.includes(market))
      if (unknown !== undefined)
        throw new Error(`markets: expected one of ${known.join(', ')} of ${venue}, found ${JSON.stringify(unknown)}`)
      listed = all.filter(({ listing }) => markets.includes(listing?.market ?? '')).map(({ id }) => id)
    }
    const wanted = instruments.length + markets.length === 0 ? traded : [...named, ...listed]
    return [...new Set(wanted)].filter(owns)
  }
}

function requestText({ instruments, markets, timeframe, fromDay, toDay }: Wanted): string {
  return JSON.stringify({ instruments, markets, timeframe, fromDay, toDay })
}

function keyOf(instrument: string, timeframe: string): string {
  return `${instrument}/${timeframe}`
}

function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch {
    return undefined
  }
}
