/** The last order events of an account, each with its place, so that a reader who was away for a moment misses none. */
import { randomBytes } from 'node:crypto'

const KEPT = 10_000

export type Recorded<T> = { readonly cursor: string; readonly event: T }

export class EventRecord<T> {
  /** Names this record: it does not survive the process, and neither do its cursors. */
  readonly #id = randomBytes(4).toString('hex')
  readonly #kept: number
  #events: T[] = []
  /** Place of the first event kept. */
  #first = 1

  constructor(kept = KEPT) {
    this.#kept = kept
  }

  /** The place of the last event; `<id>.0` before any. */
  get cursor(): string {
    return this.#cursorOf(this.#first + this.#events.length - 1)
  }

  add(event: T): Recorded<T> {
    this.#events.push(event)
    if (this.#events.length > 2 * this.#kept) {
      const dropped = this.#events.length - this.#kept
      this.#events = this.#events.slice(dropped)
      this.#first += dropped
    }
    return { cursor: this.cursor, event }
  }

  /** What came after a place; undefined when the record does not know it. */
  after(cursor: string): readonly Recorded<T>[] | undefined {
    const [id, text = ''] = cursor.split('.')
    const place = Number(text)
    const last = this.#first + this.#events.length - 1
    if (id !== this.#id || !/^[0-9]{1,15}$/.test(text) || place < this.#first - 1 || place > last) return undefined
    return this.#events
      .slice(place - this.#first + 1)
      .map((event, index) => ({ cursor: this.#cursorOf(place + 1 + index), event }))
  }

  #cursorOf(place: number): string {
    return `${this.#id}.${place}`
  }
}
