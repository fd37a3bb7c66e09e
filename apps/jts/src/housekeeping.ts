/**
 * Lets events leave the log when their time has come: soon after the start, then every hour. A pass that fails (a full disk, a
 * damaged archive, a server that is away) has deleted nothing; it is told once, and tried again until it goes well.
 */
import { TOPIC_NAMES, type Topic } from '@jts/contracts'
import type { Logger, WallClock } from '@jts/runtime'

export type HousekeepingOptions = {
  readonly wallClock: WallClock
  readonly log: Logger
  pass(): Promise<unknown>
  /** Told when a pass has failed, with why, and when one has gone well again. */
  onState(state: 'up' | 'degraded', reason: string): void
}

const FIRST_MS = 30_000
const EVERY_MS = 3_600_000
const AGAIN_MS = 60_000

export function keepHouse(options: HousekeepingOptions): { stop(): Promise<void> } {
  const { wallClock, log, pass, onState } = options
  let reason = ''
  let isStopped = false
  let running: Promise<void> = Promise.resolve()
  const run = async (): Promise<void> => {
    try {
      await pass()
      if (reason !== '') onState('up', '')
      reason = ''
    } catch (error) {
      const why = `old events could not leave the log: ${(error as Error).message}`
      log.error(
        { err: error },
        'old events could not leave the log; nothing was deleted, and it is tried again in a minute',
      )
      if (why !== reason) onState('degraded', why)
      reason = why
    }
    if (!isStopped) next(reason === '' ? EVERY_MS : AGAIN_MS)
  }
  let timer: { cancel(): void }
  const next = (ms: number): void => {
    timer = wallClock.after(ms, () => void (running = run()))
  }
  next(FIRST_MS)
  return {
    async stop() {
      isStopped = true
      timer.cancel()
      await running
    },
  }
}

/** What `retention.archiveMarketData` of the configuration adds to the archive. */
export function archivedToo(archiveMarketData: boolean | undefined): readonly Topic[] {
  return archiveMarketData === true ? TOPIC_NAMES.filter((topic) => topic.startsWith('market-data.')) : []
}
