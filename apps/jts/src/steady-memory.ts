/**
 * What keeps the memory of a process steady that runs for weeks. V8 would let its heap grow to four times what lives in it before
 * it collects, and the space of what was just made to a hundred megabytes more: memory that holds nothing, rises for half an hour,
 * and hides a leak. A service makes little per second; what it costs to collect sooner is not seen in its times.
 */
import { setFlagsFromString } from 'node:v8'

/** For the start of a process alone: `./jts` and the Dockerfile say the same. */
export const STEADY_MEMORY = ['--max-semi-space-size=8'] as const

/** The rest, from within, as early as it is known that the process runs on. */
export function keepMemorySteady(): void {
  setFlagsFromString('--heap-growing-percent=15')
}
