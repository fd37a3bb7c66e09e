/** How a process of JTS ends: on a signal, gracefully; or because memory and disk no longer agree, at once and saying why. */
import type { Logger } from '@jts/runtime'
import { EXIT } from './cli.ts'

/** The one reason for which a process ends itself: what is in memory can no longer be made true on disk. */
export function fatal(log: Logger): (reason: string, cause: unknown) => void {
  return (reason, cause) => {
    log.fatal({ err: cause }, `${reason}: the process ends, and goes on from what is on disk when it is started again`)
    process.exit(EXIT.broken)
  }
}

/** Resolves on SIGINT or SIGTERM; a second one ends the process at once. */
export function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let told = false
    const onSignal = (signal: NodeJS.Signals): void => {
      if (told) process.exit(130)
      told = true
      resolve(signal)
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
  })
}

/** Resolves with whoever started this process and holds its standard input. */
export function untilStdinEnds(): Promise<void> {
  return new Promise((done) => {
    process.stdin.once('end', done).once('close', done).resume()
  })
}
