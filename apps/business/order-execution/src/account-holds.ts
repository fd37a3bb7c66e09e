/**
 * What JTS itself lets accounts only reduce for: a silent risk management and what that one holds, a strategy that did not come
 * back, a reader of an account's orders that stands still. Each hold is lifted by what has set it, or by a person.
 */
import { partitionOf, TOPICS, type BusEvent, type BusEventOf, type Topic } from '@jts/contracts'
import type { AccountId, HoldCode, InstrumentId } from '@jts/model'
import type { HeartbeatTimes, Logger, WallClock } from '@jts/runtime'
import { Heartbeats, type Store, type Turn } from '@jts/transport'
import type { TradingStates } from './trading-states.ts'

export type AccountHoldsOptions = {
  readonly accounts: readonly AccountId[]
  readonly states: TradingStates
  /** Without it, nobody is listened for. */
  readonly heartbeats: HeartbeatTimes | undefined
  readonly store: Store
  readonly wallClock: WallClock
  readonly log: Logger
}

const RISK = 'risk-management'
/** Why an account is held while risk is silent. */
const SILENCE = `silence of ${RISK}`
/** Whoever stands still in one of these knows less of the accounts whose events lie there. */
const ACCOUNT_TOPICS: ReadonlySet<string> = new Set([
  'orders.signals',
  'orders.events',
  'orders.fills',
] satisfies Topic[])

export class AccountHolds {
  readonly #accounts: readonly AccountId[]
  readonly #states: TradingStates
  readonly #heartbeats: Heartbeats | undefined

  constructor(options: AccountHoldsOptions) {
    this.#accounts = options.accounts
    this.#states = options.states
    this.#heartbeats = options.heartbeats && this.#heartbeatsOf(options.heartbeats, options)
  }

  start(): void {
    this.#heartbeats?.start(this.#states.isHeldFor(SILENCE) ? [RISK] : [])
  }

  stop(): void {
    this.#heartbeats?.stop()
  }

  hear(event: BusEvent, turn: Turn): void {
    this.#heartbeats?.hear(event, turn)
    if (event.type === 'Heartbeat') this.#onHeartbeat(event, turn)
    else if (event.type === 'LogStopped') this.#onLogStopped(event, turn)
    else if (event.type === 'LogResumed') this.#onLogResumed(event, turn)
    else if (event.type === 'StrategyBarred') this.#onBarred(event, turn)
    else if (event.type === 'StrategyStarted') this.#states.lift(barredHold(event.payload), turn)
  }

  #heartbeatsOf(times: HeartbeatTimes, { store, wallClock, log }: AccountHoldsOptions): Heartbeats {
    const hold = (account: AccountId) =>
      ({ account, cause: SILENCE, code: 'HEARTBEAT_MISSING', liftedBy: 'machine' }) as const
    return new Heartbeats({
      service: 'order-execution',
      store,
      wallClock,
      log,
      times,
      peers: [RISK],
      says: () => ({ accounts: [...this.#accounts] }),
      onMissing: (_, reason, turn) => {
        for (const account of this.#accounts) this.#states.hold({ ...hold(account), reason }, turn)
      },
      onBack: (_, turn) => {
        for (const account of this.#accounts) this.#states.lift(hold(account), turn)
      },
    })
  }

  /** What risk lets only reduce is said here, where the trading states of the accounts are said. */
  #onHeartbeat({ payload }: BusEventOf<'Heartbeat'>, turn: Turn): void {
    if (payload.service !== RISK) return
    for (const account of this.#accounts) {
      const all = payload.holds.filter((one) => one.account === account)
      // What is held for two things is told of the first.
      const held = all.filter((one, n) => all.findIndex(({ instrument }) => instrument === one.instrument) === n)
      for (const hold of this.#states.heldBy(RISK, account)) {
        if (!held.some(({ instrument }) => instrument === (hold.instrument ?? ''))) this.#states.lift(hold, turn)
      }
      for (const { instrument, reasonCode, reason } of held) {
        const where = instrument === '' ? {} : { instrument: instrument as InstrumentId }
        const hold = { account, ...where, cause: RISK, code: reasonCode as HoldCode, reason }
        this.#states.hold({ ...hold, liftedBy: 'machine' }, turn)
      }
    }
  }

  /** Whoever reads of an account's orders stands still: until it reads on, nobody knows what its books would say of more risk. */
  #onLogStopped({ payload }: BusEventOf<'LogStopped'>, turn: Turn): void {
    const { reader, topic, partition, streams, eventId, reason: why } = payload
    if (!ACCOUNT_TOPICS.has(topic)) return
    const cause = `${logOf(reader)}${topic}/${partition}`
    const reason = `${reader} could not take ${eventId}: ${why}`
    for (const account of this.#accounts) {
      const isThere = partitionOf(account, TOPICS[topic as Topic].partitions) === partition
      if (!isThere || (streams.length > 0 && !streams.includes(account))) continue
      this.#states.hold({ account, cause, code: 'LOG_STOPPED', reason, liftedBy: 'machine' }, turn)
    }
  }

  #onLogResumed({ payload }: BusEventOf<'LogResumed'>, turn: Turn): void {
    for (const hold of this.#states.holdsBy((cause) => cause.startsWith(logOf(payload.reader)))) {
      this.#states.lift(hold, turn)
    }
  }

  /** A strategy that does not come back may have meant anything: a person looks at its account before it risks more. */
  #onBarred({ payload }: BusEventOf<'StrategyBarred'>, turn: Turn): void {
    this.#states.hold(
      { ...barredHold(payload), code: 'STRATEGY_STUCK', reason: payload.reason, liftedBy: 'person' },
      turn,
    )
  }
}

/** Why accounts are held while this reader of the log stands still; the place follows. */
function logOf(reader: string): string {
  return `event log of ${reader} at `
}

function barredHold({ account, strategy }: { readonly account: string; readonly strategy: string }) {
  return { account: account as AccountId, cause: `strategy ${strategy}` }
}
