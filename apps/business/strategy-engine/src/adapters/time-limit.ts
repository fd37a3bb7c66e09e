/**
 * Ends a strategy's handler that does not come back. It blocks the only thread, so only something outside of it can act: a
 * virtual machine's own watchdog ends whatever runs inside its call, loops that catch everything included, and nothing else.
 * https://nodejs.org/api/vm.html#scriptruninthiscontextoptions
 */
import { Script } from 'node:vm'

const SLOT = 'jts time limit'
const CALL = new Script(`globalThis[${JSON.stringify(SLOT)}]()`, { filename: 'strategy-handler' })

export class TimeLimit {
  readonly ms: number
  #work: () => void = () => undefined
  #isDone = false

  constructor(ms: number) {
    this.ms = ms
  }

  /**
   * False when the work was ended because it took too long; what it throws itself is thrown on. The watchdog goes by the wall
   * clock: where the whole machine stood still it may speak of work that has come back.
   */
  run(work: () => void): boolean {
    const slots = globalThis as unknown as Record<string, (() => void) | undefined>
    this.#work = work
    this.#isDone = false
    slots[SLOT] = this.#call
    try {
      CALL.runInThisContext({ timeout: this.ms, displayErrors: false })
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return this.#isDone
      throw error
    } finally {
      slots[SLOT] = undefined
    }
  }

  readonly #call = (): void => {
    this.#work()
    this.#isDone = true
  }
}
