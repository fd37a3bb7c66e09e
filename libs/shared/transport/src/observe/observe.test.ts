import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { encodeEvent, type BusEvent, type NewEvent } from '@jts/contracts'
import { ApprovedSignal } from '@jts/contracts/generated/jts/events/v1/signals'
import { noMetrics, noTracing, silentLogger, type Metrics, type SpanOptions, type Tracing } from '@jts/runtime'
import { EmbeddedBus } from '../bus/embedded.ts'
import { SqliteStore } from '../store/sqlite.ts'
import { fromRecordHeaders, headersOf, toRecordHeaders, withHeaders } from './event-headers.ts'
import { OrderPath } from './order-path.ts'
import { publishHook, watchedBus } from './watch.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-observe-'))
after(() => rmSync(folder, { recursive: true }))

function candle(n: number): NewEvent {
  return {
    type: 'Candle',
    stream: 'BINANCE:BTCUSDT',
    correlationId: `candle/${n}`,
    causationId: '',
    timeEventUs: n,
    payload: {
      instrument: 'BINANCE:BTCUSDT',
      timeframe: '1m',
      openTimeUs: n,
      closeTimeUs: n + 1,
      open: 1,
      high: 2,
      low: 0.5,
      close: 1.5,
      volume: 3,
      final: true,
      revision: 0,
      source: 'test',
    },
  }
}

const alert: NewEvent = {
  type: 'RiskAlert',
  stream: 'sim.binance.main',
  account: 'sim.binance.main',
  correlationId: 'candle/1',
  causationId: 'c',
  timeEventUs: 1,
  payload: { correlationId: 'candle/1', reason: 'no', signal: undefined, reasonCode: 'TICK_SIZE' },
}

/** Keeps what is counted and measured, by name and labels. */
class Kept implements Metrics {
  readonly figures = new Map<string, number>()
  readonly #add =
    (name: string, labels: object) =>
    (value = 1) => {
      const key = [name, ...Object.values(labels)].join(' ')
      this.figures.set(key, (this.figures.get(key) ?? 0) + value)
    }
  counter: Metrics['counter'] = (name, labels) => ({ inc: this.#add(name, labels) })
  histogram: Metrics['histogram'] = (name, labels) => {
    const add = this.#add(name, labels)
    return { observe: () => add() }
  }
  gauge: Metrics['gauge'] = noMetrics.gauge
  onScrape: Metrics['onScrape'] = noMetrics.onScrape
}

type KeptSpan = SpanOptions & {
  readonly name: string
  readonly id: string
  ended: boolean
  trouble: string | undefined
}

class KeptTracing implements Tracing {
  readonly isOn = true
  readonly spans: KeptSpan[] = []
  start(name: string, options: SpanOptions) {
    const span: KeptSpan = { ...options, name, id: `span ${this.spans.length}`, ended: false, trouble: undefined }
    this.spans.push(span)
    return {
      traceparent: span.id,
      set: () => undefined,
      end: (trouble?: string) => {
        span.ended = true
        span.trouble = trouble
      },
    }
  }
}

function open(name: string, metrics: Metrics, tracing: Tracing) {
  const fatal = (reason: string, cause: unknown): never => {
    throw new Error(reason, { cause })
  }
  const path = new OrderPath({ metrics, tracing })
  const onPublish = publishHook({ metrics, path }, undefined)
  const store = new SqliteStore({ file: join(folder, `${name}.sqlite`), log: silentLogger, fatal, onPublish })
  const bus = watchedBus(new EmbeddedBus({ store, log: silentLogger, fatal }), { metrics, path })
  return { store, bus, path }
}

test('what is published and handled is counted by topic, a handler that fails is not', async () => {
  const metrics = new Kept()
  const { store, bus } = open('counts', metrics, noTracing)
  bus.subscribe({
    group: 'reader',
    topics: ['market-data.binance.candles', 'risk.alerts'],
    handle: (event) => {
      if (event.type === 'RiskAlert') throw new Error('not this one')
    },
  })
  await bus.start()
  store.transact((turn) => {
    turn.publish('market-data.binance.candles', candle(1))
    turn.publish('market-data.binance.candles', candle(2))
    turn.publish('risk.alerts', alert)
  })
  await store.durable()
  assert.equal(metrics.figures.get('jts_bus_events_published_total market-data.binance.candles'), 2)
  assert.equal(metrics.figures.get('jts_bus_events_published_total risk.alerts'), 1)
  assert.equal(metrics.figures.get('jts_bus_events_handled_total reader market-data.binance.candles'), 2)
  assert.equal(metrics.figures.get('jts_bus_events_handled_total reader risk.alerts'), undefined)
  await store.close()
})

test('a tick leaves a span only when a signal comes of it, and what follows hangs on that span', async () => {
  const tracing = new KeptTracing()
  const metrics = new Kept()
  const { store, bus, path } = open('signal', metrics, tracing)
  bus.subscribe({
    group: 'strategy-engine',
    topics: ['market-data.binance.candles'],
    handle: (event, turn) => {
      if (event.correlationId !== 'candle/2') return
      path.signal({ correlationId: event.correlationId, signalId: 's', account: 'sim.binance.main' })
      turn.publish('risk.alerts', { ...alert, correlationId: event.correlationId })
    },
  })
  bus.subscribe({ group: 'notification-service', topics: ['risk.alerts'], handle: (event) => path.notifying(event)() })
  await bus.start()
  for (const n of [1, 2, 3]) store.transact((turn) => turn.publish('market-data.binance.candles', candle(n)))
  await store.durable()
  assert.deepEqual(
    tracing.spans.map(({ name, correlationId, parent, ended }) => [name, correlationId, parent, ended]),
    [
      ['tick', 'candle/2', undefined, true],
      ['process risk.alerts', 'candle/2', 'span 0', true],
      ['notify', 'candle/2', 'span 1', true],
    ],
  )
  assert.equal(metrics.figures.get('jts_order_latency_seconds tick_to_signal binance'), 1)
  await store.close()
})

test('a handler that fails is a failed span, and nobody publishes under a span that is not his own', async () => {
  const tracing = new KeptTracing()
  const { store, bus, path } = open('failed', noMetrics, tracing)
  bus.subscribe({
    group: 'strategy-engine',
    topics: ['market-data.binance.candles'],
    handle: (event, turn) => {
      path.signal({ correlationId: event.correlationId, signalId: 's', account: 'sim.binance.main' })
      turn.publish('risk.alerts', withHeaders(alert, { publishedMs: 1, traceparent: 'not his own' }))
    },
  })
  bus.subscribe({
    group: 'notification-service',
    topics: ['risk.alerts'],
    handle: () => {
      throw new Error('no room')
    },
  })
  await bus.start()
  store.transact((turn) => turn.publish('market-data.binance.candles', candle(1)))
  await store.durable()
  const span = tracing.spans.at(-1)!
  assert.deepEqual([span.name, span.parent, span.trouble], ['process risk.alerts', 'span 0', 'no room'])
  await store.close()
})

test('headers are no part of an event: not in its bytes, not in its JSON, and gone when it is read from the log', async () => {
  const plain = alert
  const carrying = withHeaders(alert, { publishedMs: 5, traceparent: 'x' })
  assert.deepEqual(encodeEvent(carrying, 'id', 1), encodeEvent(plain, 'id', 1))
  assert.equal(JSON.stringify(carrying), JSON.stringify(plain))
  const { store, bus } = open('headers', noMetrics, noTracing)
  let handled: BusEvent | undefined
  bus.subscribe({ group: 'reader', topics: ['risk.alerts'], handle: (event) => void (handled = event) })
  await bus.start()
  store.transact((turn) => turn.publish('risk.alerts', alert))
  await store.durable()
  assert.equal(typeof headersOf(handled!)?.publishedMs, 'number')
  for await (const read of bus.read('risk.alerts')) {
    assert.equal(headersOf(read), undefined)
    assert.deepEqual(JSON.parse(JSON.stringify(read)), JSON.parse(JSON.stringify(handled)))
  }
  await store.close()
})

test('headers survive the way over Kafka; what cannot be read is no header', () => {
  const over = (headers: Parameters<typeof toRecordHeaders>[0]) =>
    fromRecordHeaders([...toRecordHeaders(headers)].map(([name, value]) => [Buffer.from(name), Buffer.from(value)]))
  assert.deepEqual(over({ publishedMs: 1700000000000.123, traceparent: 'x' }), {
    publishedMs: 1700000000000.123,
    traceparent: 'x',
  })
  assert.deepEqual(over({ publishedMs: 1 }), { publishedMs: 1, traceparent: undefined })
  assert.equal(fromRecordHeaders([[Buffer.from('unit'), Buffer.from('risk')]]), undefined)
  assert.equal(fromRecordHeaders([[Buffer.from('timePublishedUs'), Buffer.from('soon')]]), undefined)
  assert.equal(fromRecordHeaders([[null, null]]), undefined)
})

test('an order hangs on its approval, and its span goes with the request; an answer that never came has no latency', async () => {
  const tracing = new KeptTracing()
  const metrics = new Kept()
  const { store, bus, path } = open('order', metrics, tracing)
  const ref = { correlationId: 'candle/1', signalId: 's', orderId: 'o' }
  bus.subscribe({
    group: 'strategy-engine',
    topics: ['market-data.binance.candles'],
    handle: (event) => path.signal({ ...ref, correlationId: event.correlationId, account: 'sim.binance.main' }),
  })
  let carried: string | undefined
  bus.subscribe({ group: 'order-execution', topics: ['orders.signals'], handle: () => void (carried = path.sent(ref)) })
  await bus.start()
  store.transact((turn) => turn.publish('market-data.binance.candles', candle(1)))
  await store.durable()
  const approved = { type: 'ApprovedSignal', stream: 'sim.binance.main', account: 'sim.binance.main' } as const
  const payload = ApprovedSignal.create({ correlationId: 'candle/1', signalId: 's', symbol: 'BINANCE:BTCUSDT' })
  store.transact((turn) => turn.publish('orders.signals', { ...alert, ...approved, payload }))
  await store.durable()
  path.answered(ref, 'unknown')
  const [tick, approval, order] = tracing.spans
  assert.deepEqual(
    [tick, approval, order].map((span) => span?.name),
    ['tick', 'process orders.signals', 'place order'],
  )
  assert.deepEqual([approval?.parent, order?.parent, carried], [tick?.id, approval?.id, order?.id])
  assert.equal(order?.trouble, 'the outcome is unknown')
  assert.equal(metrics.figures.get('jts_order_latency_seconds signal_to_approval binance'), 1)
  assert.equal(metrics.figures.get('jts_order_latency_seconds intent_to_wire binance'), 1)
  assert.equal(metrics.figures.get('jts_order_latency_seconds wire_to_ack binance'), undefined)
  await store.close()
})
