/** Events on their way into a unit's outbox: each gets its place in its stream. */
import { encodeEvent, eventIdOf, type NewEvent, type Topic } from '@jts/contracts'
import type { Sql } from 'postgres'
import { headersOf, type EventHeaders } from '../observe/event-headers.ts'

/** An event on disk that Kafka has not acknowledged. */
export type OutboxEntry = {
  readonly topic: Topic
  readonly stream: string
  readonly sequence: number
  readonly event: Uint8Array
  /** Lost in a crash: what is on disk is the event alone. */
  readonly headers?: EventHeaders | undefined
}

export type PublishedEvent = { readonly topic: Topic; readonly event: NewEvent }

/** Where each stream stands, as far as is known without asking. */
export class StreamEnds {
  readonly #sql: Sql
  readonly #shared: string
  readonly #sequences = new Map<string, number>()

  constructor(sql: Sql, shared: string) {
    this.#sql = sql
    this.#shared = shared
  }

  /** Gives each event its place in its stream. The stream's row is moved in the same commit, or the commit is refused. */
  async place(events: readonly PublishedEvent[]): Promise<OutboxEntry[]> {
    const next = new Map<string, number>()
    const entries: OutboxEntry[] = []
    for (const { topic, event } of events) {
      const key = `${topic}\n${event.stream}`
      const last = next.get(key) ?? (await this.#lastSequence(topic, event.stream))
      const sequence = last + 1
      next.set(key, sequence)
      const bytes = encodeEvent(event, eventIdOf(topic, event.stream, sequence), sequence)
      entries.push({ topic, stream: event.stream, sequence, event: bytes, headers: headersOf(event) })
    }
    return entries
  }

  async #lastSequence(topic: Topic, stream: string): Promise<number> {
    const key = `${topic}\n${stream}`
    const known = this.#sequences.get(key)
    if (known !== undefined) return known
    const [row] = await this.#sql.unsafe(
      `SELECT sequence FROM ${this.#shared}.streams WHERE topic = $1 AND stream = $2`,
      [topic, stream],
    )
    const sequence = (row?.['sequence'] as number | undefined) ?? 0
    this.#sequences.set(key, sequence)
    return sequence
  }

  /** Another unit has published to one of them. */
  forget(events: readonly PublishedEvent[]): void {
    for (const { topic, event } of events) this.#sequences.delete(`${topic}\n${event.stream}`)
  }

  /** The events are committed. */
  moved(entries: readonly OutboxEntry[]): void {
    for (const { topic, stream, sequence } of entries) this.#sequences.set(`${topic}\n${stream}`, sequence)
  }
}

/**
 * Events as the commit function takes them: what all events of a stream share is said once, and their bytes are one value. As
 * arrays of texts and bytes they were a fifth of what a batch of market data cost this process.
 */
export function outboxParameters(entries: readonly OutboxEntry[]): unknown[] {
  const placeOf = new Map<string, number>()
  const topics: string[] = []
  const streams: string[] = []
  const firsts: number[] = []
  const lasts: number[] = []
  const places: number[] = []
  const starts: number[] = []
  let start = 1
  for (const { topic, stream, sequence, event } of entries) {
    const key = `${topic}\n${stream}`
    let place = placeOf.get(key)
    if (place === undefined) {
      placeOf.set(key, (place = topics.push(topic)))
      streams.push(stream)
      firsts.push(sequence)
    }
    lasts[place - 1] = sequence
    places.push(place)
    starts.push(start)
    start += event.length
  }
  const sequences = entries.map(({ sequence }) => sequence)
  const sizes = entries.map(({ event }) => event.length)
  const numbers = [firsts, lasts, places, sequences, starts, sizes].map(textOfNumbers)
  return [topics, streams, ...numbers, Buffer.concat(entries.map(({ event }) => event))]
}

/** An array in PostgreSQL's own text. */
function textOfNumbers(list: readonly number[]): string {
  return `{${list.join()}}`
}
