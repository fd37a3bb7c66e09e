/**
 * One process that is loaded and waits to be told who it is: whoever is killed comes back without the second that the start of a
 * process takes. It owns nothing, speaks to nobody, and ends with its supervisor.
 */
import type { ChildProcess } from 'node:child_process'

/** After a start, and after one was taken: until then the machine belongs to those who trade. */
const SPARE_AFTER_MS = 5000

export class Spare {
  readonly #spawn: () => ChildProcess
  readonly #afterMs: number
  #waiting: ChildProcess | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(spawn: () => ChildProcess, afterMs = SPARE_AFTER_MS) {
    this.#spawn = spawn
    this.#afterMs = afterMs
  }

  /** Has one, a while from now and from then on. */
  keep(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const spare = (this.#waiting = this.#spawn())
      spare.once('exit', () => this.#lost(spare))
      spare.once('error', () => this.#lost(spare))
    }, this.#afterMs)
  }

  /** The one that waits, as the process of this name; undefined while there is none. */
  take(name: string): ChildProcess | undefined {
    const spare = this.#waiting
    if (spare === undefined) return undefined
    this.#waiting = undefined
    spare.removeAllListeners('exit')
    spare.stdin!.write(`${name}\n`)
    this.keep()
    return spare
  }

  stop(): void {
    clearTimeout(this.#timer)
    const spare = this.#waiting
    this.#waiting = undefined
    spare?.removeAllListeners('exit')
    spare?.kill('SIGKILL')
  }

  #lost(spare: ChildProcess): void {
    if (this.#waiting !== spare) return
    this.#waiting = undefined
    this.keep()
  }
}
