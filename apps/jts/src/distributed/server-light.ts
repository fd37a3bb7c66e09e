/**
 * Whether a server that the services need answers the supervisor: asked every second, with a limit to the wait. A text that
 * it answers is what a person should know of it although it does.
 */
import type { ServiceLight } from '../service-light.ts'

const ASK_EVERY_MS = 1000
const ANSWER_MS = 2000

export class ServerLight {
  readonly #name: string
  readonly #ask: () => Promise<unknown>
  #state: ServiceLight
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(name: string, ask: () => Promise<unknown>) {
    this.#name = name
    this.#ask = ask
    this.#state = { name, state: 'up' }
  }

  light(): ServiceLight {
    return this.#state
  }

  async start(): Promise<void> {
    let late: NodeJS.Timeout | undefined
    const limit = new Promise<never>((_, reject) => {
      late = setTimeout(() => reject(new Error(`found no answer within ${ANSWER_MS / 1000} s`)), ANSWER_MS)
    })
    try {
      const reason = await Promise.race([this.#ask(), limit])
      this.#state =
        typeof reason === 'string' ? { name: this.#name, state: 'degraded', reason } : { name: this.#name, state: 'up' }
    } catch (error) {
      this.#state = { name: this.#name, state: 'down', reason: `it does not answer: ${(error as Error).message}` }
    }
    clearTimeout(late)
    if (!this.#stopped) this.#timer = setTimeout(() => void this.start(), ASK_EVERY_MS)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }
}
