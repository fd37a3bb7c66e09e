/**
 * Whether a process hangs or is only slow, for who would end the one and wait for the other. One silence proves nothing on a
 * busy machine: a process hangs when it is silent again and again, and at once when the system says that it is dead or stopped.
 */
import { readFileSync } from 'node:fs'

export type DoesAnswerOptions = {
  /** Resolves with any answer; rejects when there is nobody to ask. */
  readonly ask: (signal: AbortSignal) => Promise<unknown>
  /** The system knows that it cannot answer. */
  readonly isGone: () => boolean
  /** After each silence but the last. */
  readonly onSilence?: (misses: number) => void
  readonly misses?: number
  readonly missMs?: number
}

const MISSES = 5
const MISS_MS = 1000

/** Each miss is another question, on a connection of its own; an answer to any of them counts, however late. */
export async function doesAnswer(options: DoesAnswerOptions): Promise<boolean> {
  const { ask, isGone, onSilence = () => undefined, misses = MISSES, missMs = MISS_MS } = options
  const over = new AbortController()
  let answered: (isTrue: true) => void = () => undefined
  const anyAnswer = new Promise<true>((resolve) => (answered = resolve))
  try {
    for (let missed = 1; ; missed++) {
      if (isGone()) return false
      // Nobody listens: it is starting, or it is gone, which is seen before the next question.
      ask(over.signal).then(
        () => answered(true),
        () => undefined,
      )
      if (await within(missMs, anyAnswer)) return true
      if (missed >= misses) return false
      onSilence(missed)
    }
  } finally {
    over.abort()
  }
}

async function within(ms: number, answer: Promise<true>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), ms)))
  const isTrue = await Promise.race([answer, late])
  clearTimeout(timer)
  return isTrue
}

/** Dead, or standing still (SIGSTOP) as Linux tells; elsewhere only dead. */
export function isDeadOrStopped(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return true
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Its name, in brackets, may hold anything.
    return 'TtZX'.includes(stat.slice(stat.lastIndexOf(')') + 2)[0]!)
  } catch {
    return false
  }
}
