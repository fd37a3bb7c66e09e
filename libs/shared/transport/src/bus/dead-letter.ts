/** What happens to an event that a group of readers cannot take. */
import { BusError, type Stop, type Subscription } from './port.ts'
import { deadLetterTopic, TOPICS, type BusEvent, type NewEvent, type PoisonedEvent, type Topic } from '@jts/contracts'
import type { Store } from '../store/port.ts'

export type Poisoned = {
  readonly topic: Topic
  readonly partition: number
  readonly offset: number
  readonly group: string
  readonly event: PoisonedEvent | BusEvent
  readonly error: unknown
}

/** Whether the partition stops there: with an order nothing may be skipped, nor anywhere behind a hole. */
export function stopsAt(topic: Topic, error: unknown): boolean {
  return TOPICS[topic].poison === 'stop' || error instanceof BusError
}

/** Says where a group stands still: what it knows of the streams there is no longer true, and somebody may be trading on it. */
export function tellStop(store: Store, stop: Stop, { streams }: Subscription, timeEventUs: number): void {
  const { reader, topic, partition, eventId } = stop
  store.transact((turn) =>
    turn.publish('system.health', {
      type: 'LogStopped',
      stream: `${reader} at ${topic}/${partition}`,
      correlationId: `log/${eventId}`,
      causationId: eventId,
      timeEventUs,
      payload: { ...stop, streams: [...(streams?.[topic] ?? [])] },
    }),
  )
}

/** Says that a group, asked to read again, stands still nowhere. */
export function tellResumed(store: Store, reader: string, timeEventUs: number): void {
  store.transact((turn) =>
    turn.publish('system.health', {
      type: 'LogResumed',
      stream: reader,
      correlationId: `log/${reader}`,
      causationId: '',
      timeEventUs,
      payload: { reader },
    }),
  )
}

/** Puts an event aside with the reason; in the same commit its reader goes on without it. */
export function bury(store: Store, poisoned: Poisoned): void {
  if (TOPICS[poisoned.topic].poison !== 'dead-letter') return
  store.transact((turn) => turn.publish(deadLetterTopic(poisoned.topic), letterOf(poisoned)))
}

function letterOf({ topic, partition, offset, group, event, error }: Poisoned): NewEvent {
  const whole = 'payload' in event ? event : undefined
  return {
    type: 'DeadLetter',
    stream: event.stream ?? topic,
    correlationId: whole?.correlationId ?? `dead-letter/${topic}[${partition}]@${offset}`,
    causationId: event.eventId,
    ...(event.account === undefined ? {} : { account: event.account }),
    timeEventUs: whole?.timeEventUs ?? 0,
    payload: {
      topic,
      partition,
      offset,
      eventId: event.eventId,
      type: whole?.type ?? '',
      group,
      reason: error instanceof Error ? error.message : String(error),
    },
  }
}
