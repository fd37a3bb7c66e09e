/**
 * Drives a local venue through a recorded market in lock-step: the next event is released only when everything that the last
 * one caused has come to rest, on both sides of every connection.
 */
import { once } from 'node:events'
import WebSocket from 'ws'
import type { LockStepReply, LockStepRequest, LockStepState } from '@jts/contracts'
import type { Logger } from '@jts/runtime'
import type { Rest } from './rest.ts'

export type ConductorOptions = {
  readonly url: string
  readonly token: string
  readonly rest: Rest
  readonly log: Logger
  /** Told after each release; for a progress line. */
  readonly onRelease?: ((state: LockStepState) => void) | undefined
}

const RECONNECT_MS = 100
/** A venue that does not come back within this time ends the replay with an error. */
const RECONNECT_MAX_MS = 120_000

/** Messages without their id, which the link adds. */
type Ask = LockStepRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never

export class Conductor {
  readonly #options: ConductorOptions
  #link: Link | undefined

  constructor(options: ConductorOptions) {
    this.#options = options
  }

  /** The venue's present state. */
  async attach(): Promise<LockStepState> {
    const link = await this.#connect()
    return attached(await link.ask({ type: 'attach', token: this.#options.token }))
  }

  /** Releases what is left, one phase at a time. `beforeRelease` may hold it back (a slower speed). */
  async run(beforeRelease?: (state: LockStepState) => Promise<void>): Promise<LockStepState> {
    let state = await this.#reattach()
    const { rest } = this.#options
    rest.advanceTo(state.timeUs)
    for (;;) {
      await rest.whenIdle(state.sent)
      if (state.done) return state
      if (beforeRelease !== undefined) await beforeRelease(state)
      let reply: LockStepReply
      try {
        reply = await this.#link!.ask({ type: 'release', at: state.position, received: rest.received() })
      } catch (error) {
        this.#options.log.warn({ err: error }, 'the venue is gone; waiting for it to come back')
        state = await this.#reattach()
        continue
      }
      if (reply.type === 'released') {
        state = reply.state
        this.#options.onRelease?.(state)
        // Fills of an open or a match have come in before market time moves on, so that a missing notice is looked for.
        if (reply.phase === 'open' || reply.phase === 'match') await rest.whenIdle(state.sent)
        rest.advanceTo(state.timeUs)
      } else if (reply.state !== undefined) state = await this.#afterRefusal(reply.state, reply)
      else throw new Error(`the venue refused a release: ${reply.type === 'refused' ? reply.message : reply.type}`)
    }
  }

  async close(): Promise<void> {
    await this.#link?.close()
  }

  /** Something is still in flight: what the venue has sent and we have not read, or a request that it is answering. */
  async #afterRefusal(state: LockStepState, reply: LockStepReply): Promise<LockStepState> {
    if (reply.type === 'refused' && reply.reason === 'done') return { ...state, done: true }
    if (reply.type === 'refused' && reply.reason === 'position') return state
    await new Promise((resolve) => setTimeout(resolve, 1))
    await this.#options.rest.whenIdle(state.sent)
    return state
  }

  async #reattach(): Promise<LockStepState> {
    const deadline = performance.now() + RECONNECT_MAX_MS
    for (;;) {
      try {
        return await this.attach()
      } catch (error) {
        if (error instanceof RefusedError || performance.now() > deadline) throw error
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS))
      }
    }
  }

  async #connect(): Promise<Link> {
    if (this.#link?.isOpen) return this.#link
    this.#link = await Link.open(this.#options.url)
    return this.#link
  }
}

class RefusedError extends Error {}

function attached(reply: LockStepReply): LockStepState {
  if (reply.type === 'state') return reply.state
  throw new RefusedError(`the venue refused the conductor: ${reply.type === 'refused' ? reply.message : reply.type}`)
}

/** One WebSocket to the venue's side channel; one question at a time. */
class Link {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, { resolve: (reply: LockStepReply) => void; reject: (error: Error) => void }>()
  #nextId = 1

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data) => {
      const reply = JSON.parse((data as Buffer).toString()) as LockStepReply
      const waiter = this.#waiting.get(reply.id)
      this.#waiting.delete(reply.id)
      waiter?.resolve(reply)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      for (const waiter of this.#waiting.values()) waiter.reject(new Error('the link to the venue was closed'))
      this.#waiting.clear()
    })
  }

  static async open(url: string): Promise<Link> {
    const socket = new WebSocket(url, { perMessageDeflate: false, handshakeTimeout: 5000 })
    await once(socket, 'open')
    return new Link(socket)
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN
  }

  ask(message: Ask): Promise<LockStepReply> {
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#socket.send(JSON.stringify({ ...message, id }), (error) => {
        if (error) reject(error)
      })
    })
  }

  async close(): Promise<void> {
    if (!this.isOpen) return
    const closed = once(this.#socket, 'close')
    this.#socket.close()
    await closed
  }
}
