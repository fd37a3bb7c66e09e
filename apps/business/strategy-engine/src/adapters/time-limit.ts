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

  constructor(ms: number) {
    this.ms = ms
  }

  /** False when the work was ended because it took too long; what it throws itself is thrown on. */
  run(work: () => void): boolean {
    const slots = globalThis as unknown as Record<string, (() => void) | undefined>
    slots[SLOT] = work
    try {
      CALL.runInThisContext({ timeout: this.ms, displayErrors: false })
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return false
      throw error
    } finally {
      slots[SLOT] = undefined
    }
  }
}
