/** The venue's end of the lock-step protocol: conditional, idempotent releases, and looks that wait for quiet. */
import { timingSafeEqual } from 'node:crypto'
import type {
  LockStepPhase,
  LockStepReply,
  LockStepRequest,
  LockStepState,
  SentCounters,
} from '@jts/contracts/lock-step'

export type LockStepVenue = {
  state(): LockStepState
  /** Carries out one release: committed, and its messages handed to the sockets, when this returns. */
  release(): LockStepPhase
  /** Messages sent on the connection from this port, or undefined when none is open. */
  sentOn(port: string): number | undefined
  openRequests(): number
}

type RefusedReason = Extract<LockStepReply, { type: 'refused' }>['reason']

export class LockStep {
  readonly #venue: LockStepVenue
  readonly #tokens: readonly string[]
  #waiting: (() => void)[] = []

  /** @param tokens any of these attaches: the conductor's own, or the secret of an account that trades here. */
  constructor(venue: LockStepVenue, tokens: readonly string[]) {
    this.#venue = venue
    this.#tokens = tokens
  }

  /** To be called when the last open request has been answered. */
  onIdle(): void {
    if (this.#waiting.length === 0 || this.#venue.openRequests() > 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const answer of waiting) answer()
  }

  /** One conductor's connection: what to do with each message that it sends. */
  session(send: (text: string) => void): (text: string) => void {
    let isAttached = false
    const reply = (message: LockStepReply) => send(JSON.stringify(message))
    return (text) => {
      const request = parse(text)
      if (!request) return reply(refused(-1, 'malformed', 'expected attach, release or look', undefined))
      if (request.type === 'attach') {
        isAttached = this.#tokens.some((token) => isSameText(request.token, token))
        if (isAttached) return reply({ type: 'state', id: request.id, state: this.#venue.state() })
      }
      if (!isAttached) return reply(refused(request.id, 'token', 'expected an attach with the token first', undefined))
      if (request.type === 'look') this.#look(request.id, reply)
      if (request.type === 'release') reply(this.#release(request.id, request.at, request.received))
    }
  }

  #look(id: number, reply: (message: LockStepReply) => void): void {
    const answer = () => reply({ type: 'state', id, state: this.#venue.state() })
    if (this.#venue.openRequests() === 0) answer()
    else this.#waiting.push(answer)
  }

  #release(id: number, at: number, received: SentCounters): LockStepReply {
    const venue = this.#venue
    const state = venue.state()
    if (at !== state.position) return refused(id, 'position', `expected ${state.position}, found ${at}`, state)
    if (state.openRequests > 0) return refused(id, 'counters', `${state.openRequests} requests are open`, state)
    for (const port in received) {
      const sent = venue.sentOn(port)
      if (sent !== received[port]) {
        const found = sent === undefined ? 'no open connection' : `${sent} messages sent`
        return refused(id, 'counters', `port ${port}: ${found}, ${received[port]} received`, state)
      }
    }
    if (state.done) return refused(id, 'done', 'nothing is left to release', state)
    const phase = venue.release()
    return { type: 'released', id, phase, state: venue.state() }
  }
}

function refused(id: number, reason: RefusedReason, message: string, state: LockStepState | undefined): LockStepReply {
  return state ? { type: 'refused', id, reason, message, state } : { type: 'refused', id, reason, message }
}

function parse(text: string): LockStepRequest | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const message = value as Record<string, unknown>
  if (typeof message['id'] !== 'number') return undefined
  if (message['type'] === 'look') return value as LockStepRequest
  if (message['type'] === 'attach' && typeof message['token'] === 'string') return value as LockStepRequest
  const isRelease = message['type'] === 'release' && typeof message['at'] === 'number'
  const hasCounters = typeof message['received'] === 'object' && message['received'] !== null
  return isRelease && hasCounters ? (value as LockStepRequest) : undefined
}

function isSameText(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}
