/** Finds events by their places, for a reader that goes through each partition once, from front to back. */
import type { BusEvent, Topic } from '@jts/contracts'
import { isPassing, type Bus } from '@jts/transport'
import type { Place } from './entry.ts'

/** An event is neither in the log nor in the archive. */
export class MissingEventError extends Error {
  override readonly name = 'MissingEventError'
  /** It was of the market and has left the log, as its class says; otherwise something was lost. */
  readonly isPassed: boolean
  constructor(message: string, isPassed: boolean, options?: { cause?: unknown }) {
    super(message, options)
    this.isPassed = isPassed
  }
}

type Cursor = { readonly events: AsyncIterator<BusEvent>; now: BusEvent | undefined }

export class Places {
  readonly #log: Pick<Bus, 'read'>
  readonly #cursors = new Map<string, Cursor>()

  constructor(log: Pick<Bus, 'read'>) {
    this.#log = log
  }

  /** @throws MissingEventError */
  async at({ topic, partition, offset }: Place): Promise<BusEvent> {
    const key = `${topic}[${partition}]`
    try {
      const cursor = await this.#cursorAt(key, { topic, partition, offset })
      while (cursor.now !== undefined && cursor.now.offset < offset) await step(cursor)
      if (cursor.now?.offset === offset) return cursor.now
    } catch (cause) {
      throw new MissingEventError(`${key}@${offset}: ${(cause as Error).message}`, false, { cause })
    }
    throw await this.#missing(key, { topic, partition, offset })
  }

  async close(): Promise<void> {
    for (const { events } of this.#cursors.values()) await events.return?.()
    this.#cursors.clear()
  }

  async #cursorAt(key: string, { topic, partition, offset }: Place): Promise<Cursor> {
    const known = this.#cursors.get(key)
    if (known?.now !== undefined && known.now.offset <= offset) return known
    await known?.events.return?.()
    const events = this.#log.read(topic, { partition, from: offset })[Symbol.asyncIterator]()
    const cursor: Cursor = { events, now: undefined }
    this.#cursors.set(key, cursor)
    await step(cursor)
    return cursor
  }

  async #missing(key: string, { topic, partition, offset }: Place): Promise<MissingEventError> {
    const first = isPassing(topic) ? await firstOffset(this.#log, topic, partition) : 0
    const isPassed = offset < first
    const found = isPassed ? `that it begins at ${first}` : 'none there'
    return new MissingEventError(`expected an event at ${key}@${offset} in log or archive, found ${found}`, isPassed)
  }
}

async function step(cursor: Cursor): Promise<void> {
  const { done, value } = await cursor.events.next()
  cursor.now = done === true ? undefined : value
}

/** Of an empty partition everything has left. */
async function firstOffset(log: Pick<Bus, 'read'>, topic: Topic, partition: number): Promise<number> {
  for await (const { offset } of log.read(topic, { partition, limit: 1 })) return offset
  return Infinity
}
