/** Which of the oldest events of a partition may leave the log now. */
import { decodeEnvelope, EventError } from '@jts/contracts'
import type { StoredEvent } from './segment.ts'

/** Most events of one file, and of one deleting commit. */
export const CHUNK = 5000
const CHUNK_BYTES = 4 * 1024 * 1024
/** A file is begun when its first event has been due for so long, so that a quiet topic gets one file a day and not one an hour. */
const SLACK_US = 86_400_000_000

export class Due {
  readonly events: StoredEvent[] = []
  readonly #beforeUs: number
  #bytes = 0
  #firstTimeUs = 0

  /** @param beforeUs what is as old as this, or younger, stays. */
  constructor(beforeUs: number) {
    this.#beforeUs = beforeUs
  }

  /** As many as one file takes. */
  get isFull(): boolean {
    return this.events.length >= CHUNK || this.#bytes >= CHUNK_BYTES
  }

  /** Enough of them to be worth a file. */
  get isWorthAFile(): boolean {
    return this.isFull || (this.events.length > 0 && this.#firstTimeUs <= this.#beforeUs - SLACK_US)
  }

  /** Takes the next event of the partition; false when it stays, and with it all that follow. */
  take(stored: StoredEvent): boolean {
    const timeUs = timeOf(stored)
    if (this.isFull || (timeUs !== undefined && timeUs >= this.#beforeUs)) return false
    if (this.events.length === 0) this.#firstTimeUs = timeUs ?? 0
    this.events.push(stored)
    this.#bytes += stored.event.length
    return true
  }
}

/** Of what cannot be read there is no time: it goes with what is around it. */
function timeOf({ event, offset }: StoredEvent): number | undefined {
  try {
    return decodeEnvelope(event, String(offset)).timeEventUs
  } catch (error) {
    if (!(error instanceof EventError)) throw error
    return undefined
  }
}
