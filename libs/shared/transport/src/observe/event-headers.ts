/**
 * What rides beside an event and is no part of it: the wall time of its publication and the span that caused it. On Kafka
 * these are record headers. In the embedded log they live as long as the process: the log, hashes and comparisons have
 * never heard of them (a symbol is not listed, not encoded and not printed).
 */
import type { BusEvent, NewEvent } from '@jts/contracts'

export type EventHeaders = {
  /** ms since the epoch, with fractions. */
  readonly publishedMs: number
  readonly traceparent?: string | undefined
}

const HEADERS = Symbol('headers')
type Carrier = { [HEADERS]?: EventHeaders }

export function headersOf(event: NewEvent | BusEvent): EventHeaders | undefined {
  return (event as Carrier)[HEADERS]
}

/** The same event with headers; a copy of it keeps them. */
export function withHeaders<E extends NewEvent | BusEvent>(event: E, headers: EventHeaders): E {
  return { ...event, [HEADERS]: headers }
}

const PUBLISHED = 'timePublishedUs'
const TRACEPARENT = 'traceparent'

export function* toRecordHeaders({ publishedMs, traceparent }: EventHeaders): Iterable<[string, string]> {
  yield [PUBLISHED, String(Math.round(publishedMs * 1000))]
  if (traceparent !== undefined) yield [TRACEPARENT, traceparent]
}

/** What others have written is not trusted to be there, or to be right. */
export function fromRecordHeaders(
  headers: readonly (readonly [Buffer | null, Buffer | null])[],
): EventHeaders | undefined {
  let publishedMs = NaN
  let traceparent: string | undefined
  for (const [key, value] of headers) {
    const name = key?.toString('latin1')
    if (name === PUBLISHED) publishedMs = Number(value?.toString('latin1')) / 1000
    else if (name === TRACEPARENT) traceparent = value?.toString('latin1')
  }
  return Number.isFinite(publishedMs) ? { publishedMs, traceparent } : undefined
}
