/** `--speed` of a replay: how long releases are held back. */
import { UserError } from './cli.ts'
import type { UpOptions } from './up-options.ts'

/** @throws UserError */
export function replaySpeed(options: Pick<UpOptions, 'speed' | 'until-end'>): number | 'max' {
  const { speed } = options
  if (speed === undefined) return options['until-end'] ? 'max' : 60
  if (speed === 'max') return 'max'
  const factor = Number(speed)
  if (!(factor > 0)) throw new UserError(`--speed: expected max or a number above 0, found ${JSON.stringify(speed)}`)
  return factor
}

export type PaceClock = { nowMs(): number; sleep(ms: number): Promise<void> }

const CLOCK: PaceClock = {
  nowMs: () => performance.now(),
  sleep: (ms) => new Promise((done) => setTimeout(done, ms)),
}

/** Holds releases back so that market time runs `speed` times as fast as real time; what is late is not caught up with. */
export function pace(
  speed: number | 'max',
  clock: PaceClock = CLOCK,
): ((state: { timeUs: number }) => Promise<void>) | undefined {
  if (speed === 'max') return undefined
  let lastUs = 0
  let due = clock.nowMs()
  return async ({ timeUs }) => {
    if (lastUs !== 0 && timeUs > lastUs) due += (timeUs - lastUs) / 1000 / speed
    lastUs = timeUs
    const waitMs = due - clock.nowMs()
    if (waitMs > 0) await clock.sleep(waitMs)
    else due = clock.nowMs()
  }
}
