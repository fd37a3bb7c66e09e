/**
 * Strategy engine (A): runs strategy instances on candles or public trades and on their own order events, asks risk about
 * every signal, and publishes each with its decision; approved ones go to order execution.
 */
import {
  candlesTopic,
  fillOfEvent,
  RETENTION,
  RpcError,
  TOPICS,
  tradesTopic,
  type BusEvent,
  type BusEventOf,
  type StrategyApi,
  type Topic,
} from '@jts/contracts'
import type {
  ListStrategiesRequest,
  ListStrategiesResponse,
  StrategyRequest,
  StrategyView,
} from '@jts/contracts/strategy-api'
import { instrumentVenue, KrxSessions, type Bar, type Instrument, type InstrumentId, type SignalId } from '@jts/model'
import type { StrategyIntent } from '@jts/strategy-kit'
import type { Bus, Turn } from '@jts/transport'
import { checkpoints, inputs, instances, openMarkets, signals, tails } from './adapters/tables.ts'
import { TimeLimit } from './adapters/time-limit.ts'
import { decideAsking } from './domain/asking.ts'
import { askedFromUs, refusal, type Signal } from './domain/signal.ts'
import { missingBefore, shortcomingOf, warmUpBarsOf, type WarmUp } from './domain/warm-up.ts'
import type { Instance, StrategyInstance } from './instance.ts'
import { marketInputOf, type MarketInput } from './market-input.ts'
import { OpenSignals, type OpenSignalsOptions } from './open-signals.ts'
import { Running } from './running.ts'
import { WarmUps, type BarHistory, type Held } from './warm-up.ts'

export type { StrategyInstance } from './instance.ts'

export type StrategyEngineOptions = OpenSignalsOptions & {
  readonly bus: Bus
  /** Names this run in every computed id: another configuration is another run. */
  readonly runId: string
  readonly instances: readonly StrategyInstance[]
  readonly marketTopics: readonly Topic[]
  /** The hours of the KRX, outside of which signals of whole days wait; the shipped ones when not given. */
  readonly sessions?: KrxSessions
  /** Wall time after which a handler that has not come back is ended, ms; a replay waits for ever, since it has to give the same. */
  readonly handlerLimitMs?: number
  /** The market's events are kept for ever, and so is the record of what the instances made of them. */
  readonly keepsMarket?: boolean
  /** Bars of the past, for instances that warm up; without it the first ones that come do, as in a backtest. */
  readonly history?: BarHistory
}

export type StrategyEngine = {
  readonly api: StrategyApi
  /** Signals made, since the first start. */
  signalCount(): number
  start(): Promise<void>
  /** Begins the warm-up of the instances that are to have one; call when the bus has started. */
  warmUp(): void
  /** Ends what waits for risk or for the time; call before the bus stops. */
  stop(): void
}

type About = { readonly correlationId: string; readonly causationId: string; readonly timeEventUs: number }

export function createStrategyEngine(options: StrategyEngineOptions): StrategyEngine {
  options.store.ensure([instances, signals, inputs, checkpoints, tails, openMarkets] as never[])
  const service = new Service(options)
  options.bus.subscribe({
    group: 'strategy-engine',
    topics: [...options.marketTopics, 'orders.events'],
    handle: (event, turn) => service.handle(event, turn),
  })
  return {
    api: service,
    signalCount: () => service.signalCount(),
    start: () => service.restore(),
    warmUp: () => service.warmUp(),
    stop: () => service.stop(),
  }
}

class Service implements StrategyApi {
  readonly #options: StrategyEngineOptions
  readonly #running: readonly Running[]
  readonly #byInstance: ReadonlyMap<string, Running>
  readonly #open: OpenSignals
  readonly #sessions: KrxSessions
  /** Instruments whose market never closes, whatever the calendar says. */
  readonly #openMarkets = new Set<string>()
  readonly #limit: TimeLimit | undefined
  readonly #warmUps: WarmUps | undefined

  constructor(options: StrategyEngineOptions) {
    this.#options = options
    this.#sessions = options.sessions ?? new KrxSessions()
    this.#limit = options.handlerLimitMs === undefined ? undefined : new TimeLimit(options.handlerLimitMs)
    const { history, log, runId } = options
    this.#running = options.instances.map((config) => {
      const recordKeptUs = options.keepsMarket === true ? undefined : marketKeptUs(config)
      return new Running(config, { log, runId, recordKeptUs, hasHistory: history !== undefined })
    })
    this.#byInstance = new Map(this.#running.map((running) => [running.config.instance, running]))
    this.#open = new OpenSignals(options, this.#byInstance)
    if (history === undefined) return
    this.#warmUps = new WarmUps({
      ...options,
      history,
      attempt: (work) => this.#attempt(work),
      onFailed: (running, found) => this.#onWarmUpFailed(running, found),
      onWarm: (running, warm, mark, missing, held) => this.#onWarm(running, warm, mark, missing, held),
    })
  }

  async restore(): Promise<void> {
    const { store } = this.#options
    const begunAnew = new Set<string>()
    const given = [...(await store.all(tails))].sort((a, b) => a.number - b.number)
    const begins = await store.all(checkpoints)
    for (const row of await store.all(instances)) {
      const running = this.#byInstance.get(row.instance)
      if (running === undefined) continue
      const { instance } = row
      const [lastPage] = await store.last(inputs, { by: 'page', count: 1, where: { instance } })
      const how = running.restore({
        row,
        tail: given.filter((one) => one.instance === instance && one.number > row.inputs),
        checkpoints: begins.filter((one) => one.instance === instance),
        lastPage,
      })
      if (how === 'not repeatable') store.transact((turn) => this.#barUnrepeatable(running, turn))
      if (how !== 'anew') continue
      const { instance: strategy } = running.config
      this.#options.log.warn({ strategy }, 'its parameters or its file changed: it begins anew, with what it holds')
      begunAnew.add(strategy)
    }
    for (const { instrument } of await store.all(openMarkets)) this.#openMarkets.add(instrument)
    await this.#open.restore(begunAnew)
    // Not before: killed by then, it begins anew once more, and what it asked for before is dropped.
    for (const strategy of begunAnew) store.transact((turn) => this.#byInstance.get(strategy)!.keep(turn))
  }

  warmUp(): void {
    for (const running of this.#running) this.#warmUps?.begin(running)
  }

  stop(): void {
    this.#warmUps?.stop()
    this.#open.stop()
  }

  signalCount(): number {
    return this.#running.reduce((sum, running) => sum + running.signals, 0)
  }

  handle(event: BusEvent, turn: Turn): void {
    switch (event.type) {
      case 'Candle':
      case 'PublicTrade':
        for (const running of this.#running) {
          const input = marketInputOf(event, running.config)
          if (input !== undefined) this.#onMarket(running, input, event, turn)
        }
        return
      case 'InstrumentListed':
        return this.#onListed(event, turn)
      case 'OrderFilled': {
        const { ref } = event.payload
        return this.#onOrder(ref?.strategy, ref?.signalId, event, turn)
      }
      case 'OrderAccepted':
      case 'OrderRejected':
      case 'OrderCancelled':
      case 'OrderExpired':
      case 'OrderUnknown':
        return this.#onOrder(event.payload.ref?.strategy, event.payload.ref?.signalId, event, turn)
      case 'OrderDenied':
      case 'SignalExpired':
        return this.#onOrder(event.payload.terms?.ref?.strategy, event.payload.terms?.ref?.signalId, event, turn)
      default:
        return
    }
  }

  listStrategies(_request: ListStrategiesRequest): Promise<ListStrategiesResponse> {
    return Promise.resolve({ strategies: this.#running.map((running) => this.#view(running)) })
  }

  startStrategy(request: StrategyRequest): Promise<StrategyView> {
    return this.#setState(request.instance, 'running')
  }

  stopStrategy(request: StrategyRequest): Promise<StrategyView> {
    return this.#setState(request.instance, 'stopped')
  }

  /** Whether its market keeps the hours of the calendar: a simulated one may not. */
  #onListed({ payload: { instrument, alwaysOpen } }: BusEventOf<'InstrumentListed'>, turn: Turn): void {
    if (this.#openMarkets.has(instrument) === alwaysOpen) return
    if (!this.#running.some(({ config }) => config.instrument.id === instrument)) return
    if (alwaysOpen) {
      this.#openMarkets.add(instrument)
      turn.put(openMarkets, { instrument })
    } else {
      this.#openMarkets.delete(instrument)
      turn.remove(openMarkets, { instrument })
    }
  }

  #onMarket(running: Running, input: MarketInput, event: BusEvent, turn: Turn): void {
    if (running.state !== 'running') return
    if (running.isWarmUpDue) return this.#warmUps?.hold(running, { input, event })
    if (running.warmUp !== undefined && input.kind === 'bar') {
      if (input.bar.closeTimeUs <= running.warmUp.untilUs) return
      if (running.runner.barCount === running.warmUp.bars)
        this.#tellGap(running, input.bar, running.warmUp, event, turn)
    }
    const handler = input.kind === 'bar' ? 'onBar' : 'onTrade'
    if (!this.#endsWell(running, handler, event, turn, () => running.feed(input, event))) return running.keep(turn)
    this.#emit(running, event, turn)
    running.inputs++
    running.keepInput(input, turn)
  }

  /**
   * False when the handler did not come back, or threw: the instance is as it was before, and barred. Whatever one instance does,
   * the others that hear the same event go on.
   */
  #endsWell(running: Running, handler: string, event: BusEvent, turn: Turn, work: () => void): boolean {
    const found = this.#attempt(work)
    if (found === undefined) return true
    this.#bar(running, running.runner.inTimer ? 'onTimer' : handler, found, aboutOf(event), turn)
    return false
  }

  /** What was found when it did not end well. */
  #attempt(work: () => void): string | undefined {
    try {
      if (this.#limit === undefined) work()
      else if (!this.#limit.run(work)) return `it to run for more than ${this.#limit.ms} ms`
      return undefined
    } catch (error) {
      // What is thrown need not be an error.
      return error instanceof Error ? error.message : String(error)
    }
  }

  /** Its account may only reduce and the operator is told; it stays so over a restart, until a person starts it again. */
  #bar(running: Running, handler: string, found: string, about: About, turn: Turn): void {
    const { instance: strategy, definition } = running.config
    const reason = `expected ${handler} of ${strategy} (${definition.name}) to end well, found ${found}: it is barred until a person starts it again`
    running.rebuild()
    this.#tellBarred(running, handler, reason, about, turn)
  }

  #onWarmUpFailed(running: Running, found: string): void {
    this.#options.store.transact((turn) => {
      this.#bar(running, 'onBar', found, this.#aboutNow(running), turn)
      running.keep(turn)
    }, 'durable')
  }

  /** State, mark and the bars that have waited, whose offsets are consumed, are one commit. */
  #onWarm(running: Running, warm: Instance, mark: WarmUp, missing: number, held: readonly Held[]): void {
    this.#options.store.transact((turn) => {
      running.becomeWarm(warm, mark)
      running.keep(turn)
      const about = this.#aboutNow(running)
      const shortcoming = shortcomingOf(warmUpBarsOf(running.config), mark.bars, missing)
      if (shortcoming === undefined)
        this.#tellHealth(running, 'up', `it has warmed up with ${mark.bars} bars`, about, turn)
      else this.#tellShort(running, shortcoming, about, turn)
      for (const { input, event } of held) this.#onMarket(running, input, event, turn)
    }, 'durable')
  }

  #tellGap(running: Running, bar: Bar, mark: WarmUp, event: BusEvent, turn: Turn): void {
    const { instrument } = running.config
    const isAlwaysOpen = this.#openMarkets.has(instrument.id)
    const missing = missingBefore(bar, mark, { instrument, isAlwaysOpen, sessions: this.#sessions })
    if (missing === 0) return
    const reason = `the source lacks ${missing} bars between its warm-up and its first live bar; it goes on without them`
    this.#tellShort(running, reason, aboutOf(event), turn)
  }

  #tellShort(running: Running, reason: string, about: About, turn: Turn): void {
    const { instance: strategy } = running.config
    this.#options.log.warn({ strategy, reason }, 'its warm-up is not whole')
    this.#tellHealth(running, 'up', reason, about, turn)
  }

  #tellHealth({ config }: Running, state: 'up' | 'down', reason: string, about: About, turn: Turn): void {
    const service = `strategy ${config.instance}`
    turn.publish('system.health', {
      ...about,
      type: 'ServiceHealth',
      stream: service,
      account: config.account,
      payload: { service, state, reason },
    })
  }

  #aboutNow({ config: { instance } }: Running): About {
    const timeEventUs = this.#options.marketClock.nowUs()
    return { correlationId: `strategy/${instance}/${timeEventUs}`, causationId: '', timeEventUs }
  }

  #barUnrepeatable(running: Running, turn: Turn): void {
    const { instance: strategy } = running.config
    const reason = `expected ${strategy} to repeat itself on the inputs it had, found a signal that it had not made: it is barred until a person starts it again, from an older state`
    this.#tellBarred(running, '', reason, this.#aboutNow(running), turn)
    running.keep(turn)
  }

  #tellBarred(running: Running, handler: string, reason: string, about: About, turn: Turn): void {
    const { instance: strategy, account } = running.config
    this.#options.log.error({ strategy, handler, reason }, 'a strategy is barred')
    running.state = 'barred'
    this.#warmUps?.end(running)
    this.#open.withdrawAll(strategy, 'it is barred', turn)
    turn.publish('orders.signals', {
      ...about,
      type: 'StrategyBarred',
      stream: account,
      account,
      payload: { strategy, account, handler, reason },
    })
    this.#tellHealth(running, 'down', reason, about, turn)
  }

  #onOrder(strategy: string | undefined, signalId: string | undefined, event: BusEvent, turn: Turn): void {
    const running = this.#byInstance.get(strategy ?? '')
    const signal = this.#open.get((signalId ?? '') as SignalId)
    const isAtVenue = event.type === 'OrderAccepted' || event.type === 'OrderFilled'
    if (isAtVenue && signal !== undefined) this.#open.accepted(signal, turn)
    if (running === undefined) {
      if (signal !== undefined && isEnd(event)) this.#open.end(signal, turn)
      return
    }
    if (signal === undefined && event.type !== 'OrderFilled') return
    const order = signal?.orderNumber ?? 0
    if (event.type === 'OrderFilled') {
      const fill = fillOfEvent(event)
      const isTold =
        running.state === 'running' &&
        !running.isWarmUpDue &&
        this.#endsWell(running, 'onFill', event, turn, () => running.fill(order, fill, event))
      if (!isTold) running.bookFill(order, fill, event)
      if (event.payload.leavesQuantity === '0' && signal !== undefined) this.#open.end(signal, turn)
      this.#emit(running, event, turn)
    } else if (event.type === 'OrderUnknown') running.orderUnknown(order)
    else if (event.type === 'OrderAccepted') running.orderKnown(order)
    else if (signal !== undefined) this.#open.end(signal, turn)
    running.inputs++
    running.keep(turn)
  }

  /** The strategy's intents become signals: pending on disk first, then risk is asked, outside this transaction. */
  #emit(running: Running, event: BusEvent, turn: Turn): void {
    const { runner } = running
    for (let n = 0; n < runner.intentCount; n++) {
      const intent = runner.intents[n]!
      if (intent.kind === 'cancel') {
        running.noteCancel(intent.order)
        this.#open.cancel(running.config.instance, intent.order, event, turn)
      } else this.#signal(running, intent, n, event, turn)
    }
  }

  #signal(running: Running, intent: StrategyIntent, n: number, event: BusEvent, turn: Turn): void {
    const { config } = running
    const asking = decideAsking(event, this.#hoursOf(config.instrument), intent, this.#sessions)
    const signal: Signal = {
      ...running.signalOf(intent, n, event),
      ...(asking.kind === 'later' ? { notBeforeUs: asking.notBeforeUs } : {}),
    }
    running.signals++
    if (asking.kind === 'never') this.#open.deny(signal, refusal(signal, 'SESSION_UNKNOWN', asking.reason), turn)
    else this.#open.take(signal, turn)
  }

  #hoursOf(instrument: Instrument): Pick<Instrument, 'sessions'> {
    return this.#openMarkets.has(instrument.id) ? {} : instrument
  }

  async #setState(instance: string, state: 'running' | 'stopped'): Promise<StrategyView> {
    const running = this.#byInstance.get(instance)
    if (running === undefined) {
      const known = [...this.#byInstance.keys()].join(', ')
      throw new RpcError('NOT_FOUND', `instance: expected one of ${known}, found ${JSON.stringify(instance)}`)
    }
    this.#options.store.transact((turn) => {
      const wasBarred = running.state === 'barred'
      if (wasBarred && state === 'running') this.#tellStarted(running, turn)
      // One that is barred stands still already: only its start lifts what its account is held for.
      if (!wasBarred || state === 'running') running.state = state
      if (state === 'stopped') {
        this.#open.withdrawAll(instance, 'a person has stopped it', turn)
        this.#warmUps?.end(running)
      }
      running.keep(turn)
    }, 'durable')
    this.#warmUps?.begin(running)
    await this.#options.store.durable()
    return this.#view(running)
  }

  #view(running: Running): StrategyView {
    return view(running, this.#open.waitingOf(running.config.instance))
  }

  #tellStarted(running: Running, turn: Turn): void {
    const { instance: strategy, account } = running.config
    const about = this.#aboutNow(running)
    turn.publish('orders.signals', {
      ...about,
      type: 'StrategyStarted',
      stream: account,
      account,
      payload: { strategy, account },
    })
    this.#tellHealth(running, 'up', 'a person has started it again', about, turn)
  }
}

function aboutOf({ correlationId, eventId: causationId, timeEventUs }: BusEvent): About {
  return { correlationId, causationId, timeEventUs }
}

/** Of an order, after what `Service.handle` hears of it. */
function isEnd(event: BusEvent): boolean {
  if (event.type === 'OrderFilled') return event.payload.leavesQuantity === '0'
  return event.type !== 'OrderAccepted' && event.type !== 'OrderUnknown'
}

/** As long as the log keeps the market that an instance hears. */
function marketKeptUs({ instrument, timeframe }: StrategyInstance): number {
  const venue = instrumentVenue(instrument.id)
  const topic = timeframe === undefined ? tradesTopic(venue) : candlesTopic(venue)
  return RETENTION[TOPICS[topic].kept].logUs
}

function view(running: Running, waiting: readonly Signal[]): StrategyView {
  const { config, runner } = running
  const parameters: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(runner.snapshot().parameters)) parameters[name] = value
  return {
    instance: config.instance,
    strategy: config.definition.name,
    account: config.account,
    instrument: config.instrument.id satisfies InstrumentId,
    timeframe: config.timeframe ?? 'trades',
    parameters: JSON.stringify(parameters),
    state: running.state === 'running' && running.isWarmUpDue ? 'warming_up' : running.state,
    bars: runner.barCount,
    signals: running.signals,
    waiting: waiting.map((signal) => {
      const { signalId, side, quantity, quoteQuantity, limitPrice } = signal
      return { signalId, side, quantity, quoteQuantity, limitPrice, notBeforeUs: askedFromUs(signal) }
    }),
  }
}
