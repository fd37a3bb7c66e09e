/** Finds what belongs to an order, or to one correlation id, in the archive and the log. */
import type { BusEvent, Payload, Topic } from '@jts/contracts'
import { isTopic, partitionOf, TOPICS } from '@jts/contracts'
import type { Bus } from '@jts/transport'
import { Books } from '../rebuild/books.ts'
import { ledgerEffect, type LedgerEffect } from './ledger-effect.ts'

export type Log = Pick<Bus, 'read'>

export type Found = {
  /** The events, in the order in which they follow from each other. */
  readonly events: readonly BusEvent[]
  /** What caused the signal; undefined when it is no longer kept. */
  readonly ticks: readonly BusEvent[]
  /** Ids of causes that are no longer kept. */
  readonly gone: readonly string[]
  /** What each fill did to the account, by event id. */
  readonly effects: ReadonlyMap<string, LedgerEffect>
}

const STORY: readonly Topic[] = ['strategy.signals', 'orders.signals', 'orders.events', 'risk.alerts']

/** The ids by which a person may know an order. */
function idsOf(event: BusEvent): readonly (string | undefined)[] {
  const payload = event.payload as Partial<
    Payload<'OrderSubmitting'> & Payload<'OrderFilled'> & Payload<'StrategySignal'> & Payload<'BalanceAdjusted'>
  >
  const ref = payload.ref ?? payload.terms?.ref
  return [
    event.correlationId,
    payload.signalId,
    ref?.signalId,
    ref?.orderId,
    payload.clientOrderId,
    payload.venueOrderId,
    payload.fillId,
    payload.adjustmentId,
  ]
}

export function signalIdOf(event: BusEvent): string {
  const payload = event.payload as Partial<
    Payload<'OrderSubmitting'> & Payload<'OrderFilled'> & Payload<'StrategySignal'> & Payload<'RiskAlert'>
  >
  return (payload.signalId ?? payload.signal?.signalId ?? (payload.ref ?? payload.terms?.ref)?.signalId) || ''
}

/** @param id an order's id (ours, the client's or the venue's), a signal's, a fill's, or a correlation id. */
export async function findStory(log: Log, id: string): Promise<Found | undefined> {
  const correlations = new Set<string>()
  const signals = new Set<string>()
  for (const topic of STORY) {
    for await (const event of log.read(topic)) {
      if (!idsOf(event).includes(id)) continue
      correlations.add(event.correlationId)
      if (event.correlationId !== id && signalIdOf(event) !== '') signals.add(signalIdOf(event))
    }
  }
  if (correlations.size === 0) return undefined
  // One tick may have caused several orders: who asked about one hears of that one.
  const belongs = (event: BusEvent): boolean =>
    correlations.has(event.correlationId) && (signals.size === 0 || signals.has(signalIdOf(event)))
  const events: BusEvent[] = []
  const effects = new Map<string, LedgerEffect>()
  const books = new Books()
  const seen = new Set<string>()
  for (const topic of STORY) {
    for await (const event of log.read(topic)) {
      // A log may hold an event twice after a crash.
      const isOurs = belongs(event) && !seen.has(event.eventId)
      if (isOurs) {
        seen.add(event.eventId)
        events.push(event)
      }
      if (topic !== 'orders.events') continue
      if (isOurs && (event.type === 'OrderFilled' || event.type === 'ForeignFill')) {
        effects.set(event.eventId, ledgerEffect(books, event))
      } else books.apply(event)
    }
  }
  const causes = new Set(events.flatMap((event) => (isOfTick(event) ? [event.causationId] : [])))
  const ticks: BusEvent[] = []
  const gone: string[] = []
  for (const cause of causes) {
    const tick = await findEvent(log, cause)
    if (tick === undefined) gone.push(cause)
    else ticks.push(tick)
  }
  return { events, ticks, gone, effects }
}

function isOfTick({ type }: BusEvent): boolean {
  return type === 'StrategySignal' || type === 'SignalWaiting'
}

/** An event by its id, which names its place: topic/stream/sequence. */
async function findEvent(log: Log, eventId: string): Promise<BusEvent | undefined> {
  const [first, last] = [eventId.indexOf('/'), eventId.lastIndexOf('/')]
  const [topic, stream] = [eventId.slice(0, first), eventId.slice(first + 1, last)]
  if (!isTopic(topic)) return undefined
  for await (const event of log.read(topic, { partition: partitionOf(stream, TOPICS[topic].partitions) })) {
    if (event.eventId === eventId) return event
  }
  return undefined
}
