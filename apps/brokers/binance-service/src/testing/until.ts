import { setTimeout as sleep } from 'node:timers/promises'

/** Waits for something that a test cannot await: what another end of a socket has done. */
export async function until(condition: () => boolean, timeoutMs = 3_000): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs
  while (!condition()) {
    if (Date.now() > deadlineMs) throw new Error(`not so within ${timeoutMs} ms: ${String(condition)}`)
    await sleep(2)
  }
}
