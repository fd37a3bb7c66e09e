/** How a process of JTS ends: on a signal, gracefully; or because memory and disk no longer agree, at once and saying why. */
import { writeSync } from 'node:fs'
import { withoutSecrets, type Logger } from '@jts/runtime'
import { EXIT } from './cli.ts'

/** The one reason for which a process ends itself: what is in memory can no longer be made true on disk. */
export function fatal(log: Logger): (reason: string, cause: unknown) => void {
  return (reason, cause) => {
    log.fatal({ err: cause }, `${reason}: the process ends, and goes on from what is on disk when it is started again`)
    process.exit(EXIT.broken)
  }
}

/**
 * Ends a process whose command has closed all that it opened, as soon as its output is out. Nothing else is waited for: a library
 * may still be connecting to a machine that is gone, which takes minutes, and Node's own last cleanup of handles may go round
 * for ever where children were killed.
 */
export async function leave(code: number): Promise<never> {
  const isOut = (stream: NodeJS.WriteStream): Promise<void> => new Promise((done) => stream.write('', () => done()))
  await Promise.all([isOut(process.stdout), isOut(process.stderr)])
  process.exit(code)
}

/** The last line on standard output of a process that could not go on, for whoever started it. */
export type LastWords = { readonly ended: string }

/**
 * Whoever started this process hears why it ends by itself. Written at once and to the pipe itself: the process does not live
 * to see a stream drained.
 */
export function tellWhyItEnds(): (why: string) => void {
  let isTold = false
  const tell = (why: string): void => {
    if (isTold) return
    isTold = true
    try {
      writeSync(process.stdout.fd, `${JSON.stringify({ ended: withoutSecrets(why) } satisfies LastWords)}\n`)
    } catch {
      // Nobody listens any more.
    }
  }
  process.on('uncaughtExceptionMonitor', (error) => tell(inOneLine(error)))
  return tell
}

/** What an error says, and what the ones that caused it say: the last one is often what a person can mend. */
export function inOneLine(error: unknown): string {
  const said: string[] = []
  for (let one = error; one !== undefined && one !== null; one = (one as Error).cause) {
    const words = (one instanceof Error ? one.message : String(one)).trim().split('\n')[0]!
    if (words !== '' && !said.some((before) => before.includes(words))) said.push(words)
  }
  return said.join(': ')
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
    // It may have ended while something else was read from it.
    if (process.stdin.readableEnded || process.stdin.destroyed) return done()
    process.stdin.once('end', done).once('close', done).resume()
  })
}

/** The first line on standard input; undefined when it ends before one. */
export function lineOnStdin(): Promise<string | undefined> {
  return new Promise((done) => {
    let text = ''
    const onData = (chunk: Buffer): void => {
      text += chunk.toString()
      const end = text.indexOf('\n')
      if (end < 0) return
      process.stdin.off('data', onData)
      done(text.slice(0, end))
    }
    process.stdin.on('data', onData)
    void untilStdinEnds().then(() => done(undefined))
  })
}
