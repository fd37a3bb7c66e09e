/** For tests: time stands, for the system's clock and its timers, until it is made to pass. */
import { mock } from 'node:test'

const TURNS = 6

/** Makes time pass, giving what a timer starts its turns before the next step. */
export type Run = (ms: number, stepMs?: number) => Promise<void>

export function standStill(atUs: number): Run {
  mock.timers.reset()
  mock.timers.enable({ apis: ['Date', 'setTimeout'], now: atUs / 1000 })
  return async (ms, stepMs = 100) => {
    await settled()
    for (let left = ms; left > 0; left -= stepMs) {
      mock.timers.tick(Math.min(stepMs, left))
      await settled()
    }
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
}
