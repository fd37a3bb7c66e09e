import { setTimeout as sleep } from 'node:timers/promises'

/** Waits for something that a test cannot await: what another end of a socket has done. */
export async function until(condition: () => boolean, timeoutMs = 60_000): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs
  for (;;) {
    const isLast = Date.now() > deadlineMs
    if (condition()) return
    if (isLast) throw new Error(`not so within ${timeoutMs} ms: ${String(condition)}`)
    await sleep(2)
  }
}
