/**
 * Every signal from the moment it is made until its order has ended.
 *
 * It is committed as pending before risk is asked, and asked again after a restart: risk answers the same id the same. One that comes
 * while its market takes no orders is committed as waiting, and becomes pending when the market opens.
 */
import type { BusEvent, RiskManagementApi } from '@jts/contracts'
import type { RiskCheckResponse } from '@jts/contracts/risk-api'
import type { SignalId } from '@jts/model'
import type { Activity, Logger, MarketClock, WallClock } from '@jts/runtime'
import type { Store, Turn } from '@jts/transport'
import { signals } from './adapters/tables.ts'
import {
  approvedSignal,
  askedFromUs,
  refusal,
  refusalOf,
  riskRequest,
  signalWaiting,
  strategySignal,
  type Signal,
} from './domain/signal.ts'
import type { Running } from './running.ts'
import { WaitingSignals } from './waiting-signals.ts'

export type OpenSignalsOptions = {
  readonly store: Store
  readonly risk: Pick<RiskManagementApi, 'checkTradingRisk'>
  /**
   * Risk keeps its answers in a store of its own: it is asked when the signal is on disk here, since a reservation for a signal that
   * was lost before that would stand for ever. In one store a signal and its answer share a commit, or are lost together.
   */
  readonly riskIsApart?: boolean
  readonly marketClock: MarketClock
  readonly wallClock: WallClock
  readonly activity: Activity
  readonly log: Logger
  /** Told of each signal when it is asked about for the first time. */
  readonly onSignal?: (signal: Signal) => void
}

/**
 * `waiting` has not been asked about; `pending` has no answer yet; `unwanted` neither, and nobody wants it meanwhile; `working` is
 * approved; `accepted` rests in the market, which is told apart only of a signal that has waited.
 */
type OpenSignal = { readonly signal: Signal; status: 'waiting' | 'pending' | 'unwanted' | 'working' | 'accepted' }

/** Time between two questions to a risk service that does not answer. */
const ASK_AGAIN_MS = 500

export class OpenSignals {
  readonly #options: OpenSignalsOptions
  readonly #running: ReadonlyMap<string, Running>
  readonly #signals = new Map<SignalId, OpenSignal>()
  readonly #waiting: WaitingSignals
  #stopped = false

  constructor(options: OpenSignalsOptions, running: ReadonlyMap<string, Running>) {
    this.#options = options
    this.#running = running
    this.#waiting = new WaitingSignals(options.marketClock, (signal) => this.#askAtLast(signal))
  }

  /** Goes on with each where it was; `begunAnew` names the instances that do not remember what they asked for. */
  async restore(begunAnew: ReadonlySet<string>): Promise<void> {
    const kept = (await this.#options.store.all(signals)).map((row) => ({
      signal: JSON.parse(row.signal) as Signal,
      status: row.status as OpenSignal['status'],
    }))
    for (const one of kept.sort(
      (a, b) => a.signal.timeUs - b.signal.timeUs || a.signal.orderNumber - b.signal.orderNumber,
    )) {
      const { signal } = one
      this.#signals.set(signal.signalId, one)
      if (this.#isDropped(one, begunAnew)) continue
      if (one.status === 'waiting') this.#waiting.add({ ...signal, notBeforeUs: askedFromUs(signal) })
      else if (one.status === 'pending' || one.status === 'unwanted') this.#ask(signal)
    }
  }

  stop(): void {
    this.#stopped = true
    this.#waiting.stop()
  }

  get(signalId: SignalId): Signal | undefined {
    return this.#signals.get(signalId)?.signal
  }

  waitingOf(instance: string): readonly Signal[] {
    return this.#waiting.of(instance)
  }

  /** Now, or when its market takes orders. */
  take(signal: Signal, turn: Turn): void {
    const { notBeforeUs } = signal
    if (notBeforeUs !== undefined && notBeforeUs > this.#options.marketClock.nowUs()) {
      return this.#wait(signal, notBeforeUs, turn)
    }
    this.#signals.set(signal.signalId, { signal, status: 'pending' })
    this.#keep(signal, 'pending', turn)
    this.#options.onSignal?.(signal)
    this.#ask(signal)
  }

  /** Its instance may no longer be configured; a signal ends all the same. */
  end(signal: Signal, turn: Turn): void {
    this.#running.get(signal.instance)?.orderClosed(signal.orderNumber)
    this.#waiting.remove(signal.signalId)
    this.#signals.delete(signal.signalId)
    turn.remove(signals, { signal_id: signal.signalId })
  }

  #wait(signal: Signal, notBeforeUs: number, turn: Turn): void {
    this.#signals.set(signal.signalId, { signal, status: 'waiting' })
    this.#keep(signal, 'waiting', turn)
    const { instance, account, correlationId, causationId, timeUs: timeEventUs } = signal
    turn.publish('strategy.signals', {
      ...{ account, correlationId, causationId, timeEventUs },
      type: 'SignalWaiting',
      stream: instance,
      payload: signalWaiting(signal, notBeforeUs),
    })
    this.#waiting.add({ ...signal, notBeforeUs })
  }

  /** After a restart. What its strategy has not asked for as it now is, is not sent. True when it has ended with that. */
  #isDropped(open: OpenSignal, begunAnew: ReadonlySet<string>): boolean {
    const { instance, signalId } = open.signal
    const found = this.#foundInstead(instance, begunAnew)
    if (found === undefined) return false
    this.#options.store.transact((turn) => {
      this.#withdraw(open, found, turn)
      if (!this.#signals.has(signalId)) this.#running.get(instance)?.keep(turn)
    })
    return !this.#signals.has(signalId)
  }

  #foundInstead(instance: string, begunAnew: ReadonlySet<string>): string | undefined {
    const running = this.#running.get(instance)
    if (running === undefined) return 'that it is not configured'
    if (begunAnew.has(instance)) return 'it begun anew'
    return running.state === 'running' ? undefined : `it ${running.state}`
  }

  /** Its market takes orders now: from here on it is a signal like any other. */
  #askAtLast(signal: Signal): void {
    const { activity, store } = this.#options
    activity.enter('strategy-engine')
    // Time may have come within somebody's transaction.
    queueMicrotask(() => {
      const pending = this.#signals.get(signal.signalId)
      if (!this.#stopped && pending?.status === 'waiting') {
        store.transact((turn) => this.#move(pending, 'pending', turn))
        this.#options.onSignal?.(pending.signal)
        this.#ask(pending.signal)
      }
      activity.leave('strategy-engine')
    })
  }

  /** A strategy that does not run wants nothing any more. */
  withdrawAll(instance: string, why: string, turn: Turn): void {
    for (const open of [...this.#signals.values()]) {
      if (open.signal.instance === instance) this.#withdraw(open, why, turn)
    }
  }

  /**
   * What waits for its market, or has waited and goes into its auction as soon as the broker is there, is not sent: that may be long
   * after. What the broker has taken stays in the market; where that is not heard of yet, it is cancelled there.
   */
  #withdraw(open: OpenSignal, found: string, turn: Turn): void {
    const { signal, status } = open
    if (signal.notBeforeUs === undefined) return
    if (status === 'waiting') {
      const reason = `expected ${signal.instance} to be running until its market takes orders, found ${found}`
      this.deny(signal, refusal(signal, 'STRATEGY_NOT_RUNNING', reason), turn)
    } else if (status === 'pending') this.#move(open, 'unwanted', turn)
    else if (status === 'working') {
      const nowUs = this.#options.marketClock.nowUs()
      const reason = `expected ${signal.instance} to be running until the broker takes its order, found ${found}`
      this.#publishCancel(signal, signal.causationId, Math.max(nowUs, signal.notBeforeUs), turn, reason)
    }
  }

  /** The broker has taken it. */
  accepted({ signalId, notBeforeUs }: Signal, turn: Turn): void {
    const open = this.#signals.get(signalId)
    if (notBeforeUs !== undefined && open?.status === 'working') this.#move(open, 'accepted', turn)
  }

  /** Order execution hears of a signal by its approval, so a cancel waits for that. */
  cancel(instance: string, order: number, event: BusEvent, turn: Turn): void {
    for (const pending of this.#signals.values()) {
      const { signal } = pending
      if (signal.instance !== instance || signal.orderNumber !== order) continue
      if (pending.status === 'working' || pending.status === 'accepted') {
        return this.#publishCancel(signal, event.eventId, event.timeEventUs, turn)
      }
      if (pending.status === 'waiting') {
        this.#publishDecision(
          signal,
          refusal(signal, 'CANCELLED_BEFORE_SENDING', 'the strategy no longer wants it'),
          turn,
        )
        return this.end(signal, turn)
      }
      return this.#move(pending, 'unwanted', turn)
    }
  }

  #publishCancel(signal: Signal, causationId: string, timeEventUs: number, turn: Turn, reason = ''): void {
    const { signalId, instance: strategy, account, instrument, correlationId } = signal
    turn.publish('orders.signals', {
      type: 'CancelRequested',
      stream: account,
      account,
      correlationId,
      causationId,
      timeEventUs,
      payload: { signalId, strategy, account, instrument, reason },
    })
  }

  /** Asked in the order in which signals were made; a service that does not answer is asked again. `heard`: why it did not. */
  #ask(signal: Signal, heard = ''): void {
    const { activity, log, riskIsApart = false, store, wallClock } = this.#options
    activity.enter('strategy-engine')
    // After the handler that made it: its transaction is part of the batch that `durable` waits for.
    queueMicrotask(() => {
      const answer = riskIsApart ? store.durable().then(() => this.#answerTo(signal)) : this.#answerTo(signal)
      answer
        .then((answer) => this.#answered(signal, answer))
        .catch((error: unknown) => {
          if (this.#stopped) return
          const { signalId, correlationId } = signal
          const reason = error instanceof Error ? error.message : String(error)
          // It may go on for as long as an auction does.
          if (reason !== heard) log.error({ signalId, correlationId, err: error }, 'risk did not answer; asking again')
          wallClock.after(ASK_AGAIN_MS, () => this.#ask(signal, reason))
        })
        .finally(() => activity.leave('strategy-engine'))
    })
  }

  #answerTo(signal: Signal): Promise<RiskCheckResponse> {
    return this.#options.risk.checkTradingRisk(riskRequest(signal)).catch((error: unknown) => refusalOf(error, signal))
  }

  #answered(signal: Signal, answer: RiskCheckResponse): void {
    const { store, marketClock } = this.#options
    const nowUs = marketClock.nowUs()
    store.transact((turn) => {
      if (!answer.approved) {
        this.deny(signal, answer, turn)
        return this.#running.get(signal.instance)?.keep(turn)
      }
      this.#publishDecision(signal, answer, turn)
      const pending = this.#signals.get(signal.signalId)
      const isUnwanted = pending?.status === 'unwanted'
      if (pending !== undefined) pending.status = 'working'
      this.#keep(signal, 'working', turn)
      turn.publish('orders.signals', {
        ...this.#about(signal),
        type: 'ApprovedSignal',
        stream: signal.account,
        payload: approvedSignal(signal, answer, nowUs),
      })
      if (isUnwanted) this.#publishCancel(signal, signal.causationId, askedFromUs(signal), turn)
    })
  }

  /** The signal ends here; the caller keeps the state of its strategy. */
  deny(signal: Signal, answer: RiskCheckResponse, turn: Turn): void {
    this.#publishDecision(signal, answer, turn)
    turn.publish('risk.alerts', {
      ...this.#about(signal),
      type: 'RiskAlert',
      stream: signal.account,
      payload: {
        correlationId: signal.correlationId,
        reason: answer.rejectionReason,
        signal: strategySignal(signal, answer),
        reasonCode: answer.denialCode,
      },
    })
    this.end(signal, turn)
  }

  /** The time of what becomes of it is that from which on risk could be asked; of what waits no more, now. */
  #about(signal: Signal): Pick<BusEvent, 'account' | 'correlationId' | 'causationId' | 'timeEventUs'> {
    const { account, correlationId, causationId, timeUs, notBeforeUs } = signal
    const timeEventUs = notBeforeUs === undefined ? timeUs : Math.min(notBeforeUs, this.#options.marketClock.nowUs())
    return { account, correlationId, causationId, timeEventUs }
  }

  #publishDecision(signal: Signal, answer: RiskCheckResponse, turn: Turn): void {
    turn.publish('strategy.signals', {
      ...this.#about(signal),
      type: 'StrategySignal',
      stream: signal.instance,
      payload: strategySignal(signal, answer),
    })
  }

  #move(open: OpenSignal, status: OpenSignal['status'], turn: Turn): void {
    open.status = status
    this.#keep(open.signal, status, turn)
  }

  #keep(signal: Signal, status: OpenSignal['status'], turn: Turn): void {
    turn.put(signals, {
      signal_id: signal.signalId,
      instance: signal.instance,
      order_number: signal.orderNumber,
      status,
      signal: JSON.stringify(signal),
    })
  }
}
