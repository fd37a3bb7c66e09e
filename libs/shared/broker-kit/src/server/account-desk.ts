/**
 * One account of a broker service: every request that acts goes to the port at most once, behind the lease, the gate, the
 * trading state and the clock; what became of it is remembered and repeated.
 */
import { createHash } from 'node:crypto'
import type { AccountState, AmendOrderRequest, CancelOrderQuery, PlaceOrderRequest } from '@jts/contracts/broker-api'
import type { AccountId, NotSentCode } from '@jts/model'
import type { WallClock } from '@jts/runtime'
import { messageOf } from '../message-of.ts'
import type { BeforeWrite, BrokerPort, NotSent } from '../port.ts'
import {
  fromAmendRequest,
  fromCancelQuery,
  fromPlaceRequest,
  toWireAmended,
  toWireCancelled,
  toWirePlaced,
} from '../wire/index.ts'
import { NEW_ACCOUNT, type AccountRow, type Journal, type JournalRow, type RequestKind } from './journal.ts'
import { ProblemError } from './problems.ts'

type Fence = { readonly leaseEpoch?: number; readonly tradingStateVersion?: number }
type Acting = {
  readonly kind: RequestKind
  readonly requestId: string
  readonly clientOrderId: string
  readonly instrument: string
  readonly side: string
  readonly content: object
  readonly fence: Fence
  readonly sendBeforeUs: number
  send(beforeWrite: BeforeWrite): Promise<Outcome>
}
/** An outcome of the wire without `repeated`. */
type Outcome = { readonly kind: string }
type Answered = Outcome & { readonly repeated: boolean }

const UNKNOWN: Outcome = { kind: 'unknown', message: 'perhaps sent by the service before its restart' } as Outcome
const notSent = (code: NotSentCode, message: string): NotSent => ({ kind: 'not_sent', code, message })

/** What follows the account when another process serves it, where several may: kept outside this process's own journal. */
export type AccountKeeping = {
  readonly saved: AccountRow | undefined
  /** Resolves when it is on disk. */
  save(row: AccountRow): Promise<void>
  /** Whether this process still serves the account, as far as it can find out; asked before a request is sent. */
  confirm(): Promise<boolean>
  /** The same without asking anybody, in the moment before the write. */
  isServed(): boolean
}

export type DeskOptions = {
  readonly account: AccountId
  readonly broker: BrokerPort
  readonly journal: Journal
  readonly clock: WallClock
  readonly keeping?: AccountKeeping | undefined
}

export class AccountDesk {
  readonly account: AccountId
  readonly broker: BrokerPort
  readonly #journal: Journal
  readonly #clock: WallClock
  readonly #underWay = new Map<string, Promise<Outcome>>()
  readonly #keeping: AccountKeeping | undefined
  #row: AccountRow
  #saving: Promise<void> = Promise.resolve()

  constructor({ account, broker, journal, clock, keeping }: DeskOptions) {
    this.account = account
    this.broker = broker
    this.#journal = journal
    this.#clock = clock
    this.#keeping = keeping
    this.#row = keeping === undefined ? journal.account(account) : (keeping.saved ?? NEW_ACCOUNT)
    broker.setGate(this.#row.gate)
  }

  place(request: PlaceOrderRequest): Promise<Answered> {
    const { leaseEpoch, tradingStateVersion, ...content } = request
    return this.#act({
      kind: 'place',
      requestId: request.clientOrderId,
      clientOrderId: request.clientOrderId,
      instrument: request.instrument,
      side: request.side,
      content,
      fence: given({ leaseEpoch, tradingStateVersion }),
      sendBeforeUs: request.sendBeforeUs,
      send: async (beforeWrite) =>
        withoutRepeated(toWirePlaced(await this.broker.placeOrder(fromPlaceRequest(request), beforeWrite), false)),
    })
  }

  cancel(clientOrderId: string, query: CancelOrderQuery): Promise<Answered> {
    const { leaseEpoch, ...content } = query
    return this.#act({
      kind: 'cancel',
      requestId: query.cancelId,
      clientOrderId,
      instrument: query.instrument,
      side: '',
      content: { ...content, clientOrderId },
      fence: given({ leaseEpoch }),
      sendBeforeUs: query.sendBeforeUs,
      send: async (beforeWrite) => {
        const outcome = await this.broker.cancelOrder(fromCancelQuery(clientOrderId, query), beforeWrite)
        return this.#timed(withoutRepeated(toWireCancelled(outcome, false)))
      },
    })
  }

  amend(clientOrderId: string, request: AmendOrderRequest): Promise<Answered> {
    const { amendOrder } = this.broker
    if (!this.broker.capabilities.amend || amendOrder === undefined) {
      throw new ProblemError('NOT_SUPPORTED', `${this.broker.capabilities.broker} does not amend orders`)
    }
    const { leaseEpoch, tradingStateVersion, ...content } = request
    return this.#act({
      kind: 'amend',
      requestId: request.amendId,
      clientOrderId,
      instrument: request.instrument,
      side: '',
      content: { ...content, clientOrderId },
      fence: given({ leaseEpoch, tradingStateVersion }),
      sendBeforeUs: request.sendBeforeUs,
      send: async (beforeWrite) => {
        const outcome = await amendOrder.call(this.broker, fromAmendRequest(clientOrderId, request), beforeWrite)
        return this.#timed(withoutRepeated(toWireAmended(outcome, false)))
      },
    })
  }

  /** On disk before it returns; resolves when no send is under way any more. */
  async setGate(gate: 'open' | 'halted', reason: string, version: number | undefined): Promise<AccountState> {
    this.#learn({ ...(version === undefined ? {} : { tradingStateVersion: version }) }, { gate, gateReason: reason })
    this.broker.setGate(gate)
    await this.#saving
    await Promise.allSettled(this.#underWay.values())
    return this.state()
  }

  async setLease(epoch: number, version?: number): Promise<AccountState> {
    if (epoch < this.#row.leaseEpoch) {
      throw new ProblemError('STALE_LEASE', `expected an epoch of ${this.#row.leaseEpoch} or more, found ${epoch}`)
    }
    this.#learn({ leaseEpoch: epoch, ...(version === undefined ? {} : { tradingStateVersion: version }) })
    await this.#saving
    return this.state()
  }

  state(): AccountState {
    const { gate, gateReason, leaseEpoch, tradingStateVersion } = this.#row
    const ordersUnknown = this.#journal.unsettled(this.account).length
    const reason = gateReason === '' ? {} : { gateReason }
    return { account: this.account, gate, ...reason, leaseEpoch, tradingStateVersion, ordersUnknown }
  }

  /** The venue has told what became of an order: an unknown request to place it is unknown no more. */
  settle(clientOrderId: string, order: object): void {
    const row = this.#journal.request(this.account, clientOrderId)
    if (row === undefined || this.#underWay.has(clientOrderId)) return
    if (row.outcome !== undefined && row.outcome.kind !== 'unknown') return
    const outcome = row.kind === 'place' ? { kind: 'accepted', order, fills: [] } : (row.outcome ?? UNKNOWN)
    this.#journal.end(this.account, clientOrderId, outcome, true)
  }

  async sendsEnded(): Promise<void> {
    await Promise.allSettled(this.#underWay.values())
  }

  async #act(acting: Acting): Promise<Answered> {
    const { requestId } = acting
    const content = contentOf(acting.kind, acting.content)
    const known = this.#journal.request(this.account, requestId)
    if (known !== undefined) return { ...(await this.#repeated(known, acting.kind, content)), repeated: true }
    const { kind, clientOrderId, instrument, side } = acting
    const twin = side === '' ? undefined : this.#unacknowledged(instrument, side)
    this.#learn(acting.fence)
    const timeUs = this.#clock.nowUs()
    this.#journal.begin({ account: this.account, requestId, kind, content, clientOrderId, instrument, side, timeUs })
    const sending = this.#send(acting, twin)
    this.#underWay.set(requestId, sending)
    try {
      return { ...(await sending), repeated: false }
    } finally {
      this.#underWay.delete(requestId)
    }
  }

  async #send(acting: Acting, twin: JournalRow | undefined): Promise<Outcome> {
    let outcome: Outcome
    try {
      if (this.#keeping !== undefined) await Promise.all([this.#saving, this.#keeping.confirm()])
      outcome =
        twin === undefined
          ? (this.#whyNot(acting) ?? (await acting.send(() => this.#whyNot(acting))))
          : notSent('ORDER_IN_FLIGHT', `${twin.clientOrderId} is not acknowledged yet`)
    } catch (error) {
      // The port answers with outcomes; what it throws says nothing of how far the request came.
      outcome = { kind: 'unknown', message: messageOf(error) } as Outcome
    }
    // A cancel that may have arrived leaves nothing to settle: the order's own query tells.
    this.#journal.end(this.account, acting.requestId, outcome, outcome.kind !== 'unknown' || acting.kind === 'cancel')
    return outcome
  }

  async #repeated(known: JournalRow, kind: RequestKind, content: string): Promise<Outcome> {
    if (known.kind !== kind || known.content !== content) {
      throw new ProblemError('ORDER_CONFLICT', `${known.requestId} was used before, for something else`)
    }
    const underWay = this.#underWay.get(known.requestId)
    if (underWay !== undefined) return underWay
    return known.outcome ?? UNKNOWN
  }

  /** Asked when a request comes and again right before the write, where it is the last word. */
  #whyNot({ kind, fence, sendBeforeUs }: Acting): NotSent | undefined {
    const { gate, leaseEpoch, tradingStateVersion } = this.#row
    if (this.#keeping?.isServed() === false) {
      return notSent('BROKER_UNAVAILABLE', 'another process may serve the account by now')
    }
    if ((fence.leaseEpoch ?? leaseEpoch) < leaseEpoch) {
      return notSent('STALE_LEASE', `a later owner is known: epoch ${leaseEpoch}, found ${fence.leaseEpoch}`)
    }
    if (kind !== 'cancel') {
      if (gate === 'halted') return notSent('GATE_HALTED', 'the gate of the broker service is halted')
      if ((fence.tradingStateVersion ?? tradingStateVersion) < tradingStateVersion) {
        const found = `version ${tradingStateVersion} is known, found ${fence.tradingStateVersion}`
        return notSent('STALE_TRADING_STATE', `decided under an older trading state: ${found}`)
      }
    }
    const lateUs = this.#clock.nowUs() + this.broker.clockOffsetUs() - sendBeforeUs
    return lateUs < 0 ? undefined : notSent('TOO_LATE', `${lateUs / 1000} ms past the time to send before`)
  }

  /** Where orders can only be told apart by what they are, one of a kind is unacknowledged at a time. */
  #unacknowledged(instrument: string, side: string): JournalRow | undefined {
    if (this.broker.capabilities.clientOrderIds !== 'none') return undefined
    return this.#journal
      .unsettled(this.account)
      .find((row) => row.kind === 'place' && row.instrument === instrument && row.side === side)
  }

  /** Only ever upwards, and on disk (or on its way there, as `#saving`) before anything leans on it. */
  #learn(seen: Fence, change: Partial<AccountRow> = {}): void {
    const { leaseEpoch = this.#row.leaseEpoch, tradingStateVersion: version = 0 } = seen
    // The word of a former owner moves nothing; a new one has read the trading state itself, and counts from its own versions.
    if (leaseEpoch < this.#row.leaseEpoch) return
    const before = leaseEpoch > this.#row.leaseEpoch ? 0 : this.#row.tradingStateVersion
    const next = { ...this.#row, ...change, leaseEpoch, tradingStateVersion: Math.max(before, version) }
    if (JSON.stringify(next) === JSON.stringify(this.#row)) return
    this.#row = next
    if (this.#keeping === undefined) this.#journal.setAccount(this.account, next)
    else {
      this.#saving = this.#keeping.save(next)
      // Whoever leans on it awaits it; nobody else need hear that it failed.
      this.#saving.catch(() => undefined)
    }
  }

  /** The port says no time for a refused cancel; the wire does. */
  #timed(outcome: Outcome): Outcome {
    if (outcome.kind !== 'rejected') return outcome
    return { ...outcome, timeUs: this.#clock.nowUs() + this.broker.clockOffsetUs() } as Outcome
  }
}

function given(fence: { leaseEpoch?: number | undefined; tradingStateVersion?: number | undefined }): Fence {
  const { leaseEpoch, tradingStateVersion } = fence
  return {
    ...(leaseEpoch === undefined ? {} : { leaseEpoch }),
    ...(tradingStateVersion === undefined ? {} : { tradingStateVersion }),
  }
}

function contentOf(kind: RequestKind, content: object): string {
  const entries = Object.entries(content).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256')
    .update(JSON.stringify([kind, entries]))
    .digest('hex')
}

function withoutRepeated<T extends { readonly repeated: boolean }>({ repeated: _, ...rest }: T): Omit<T, 'repeated'> {
  return rest
}
