/**
 * Looks at what is published and handled: it is counted, timed, traced and said, and nothing behaves differently. Where
 * nobody looks there is no hook in the store, and services hold the bus itself.
 */
import { TOPIC_NAMES, type BusEvent, type NewEvent, type Topic } from '@jts/contracts'
import { noMetrics, type Counter, type Metrics } from '@jts/runtime'
import type { Bus } from '../bus/port.ts'
import type { PublishHook } from '../store/port.ts'
import type { OrderPath } from './order-path.ts'

export type Eyes = { readonly metrics: Metrics; readonly path: OrderPath }

/** For a store's `onPublish`; undefined where there is neither an eye nor a mouth. */
export function publishHook(
  eyes: Eyes | undefined,
  say: ((topic: Topic, event: NewEvent) => void) | undefined,
): PublishHook | undefined {
  if (eyes === undefined && say === undefined) return undefined
  const published = new Map<Topic, Counter>(
    TOPIC_NAMES.map((topic) => [
      topic,
      (eyes?.metrics ?? noMetrics).counter('jts_bus_events_published_total', { topic }),
    ]),
  )
  return (topic, event, turn) => {
    published.get(topic)?.inc()
    // What is rolled back was never so: it is said when it is on disk.
    if (say !== undefined && !topic.startsWith('market-data.')) turn.afterCommit(() => say(topic, event))
    return eyes === undefined ? event : eyes.path.published(topic, event)
  }
}

/** The bus as services are to hold it. */
export function watchedBus(bus: Bus, { metrics, path }: Eyes): Bus {
  return {
    subscribe(subscription) {
      const { group, topics } = subscription
      const handled = new Map<string, Counter>(
        topics.map((topic) => [topic, metrics.counter('jts_bus_events_handled_total', { group, topic })]),
      )
      bus.subscribe({
        ...subscription,
        handle(event: BusEvent, turn) {
          path.handling(event, group, () => subscription.handle(event, turn))
          handled.get(event.topic)?.inc()
        },
      })
    },
    tap: (topics, listener) => bus.tap(topics, listener),
    start: () => bus.start(),
    stop: () => bus.stop(),
    read: (topic, options) => bus.read(topic, options),
    lag: () => bus.lag(),
  }
}
