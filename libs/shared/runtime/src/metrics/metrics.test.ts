import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '../log.ts'
import { NOT_OBSERVED, openObservability } from '../observability.ts'
import { METRICS, type MetricSpec } from './catalogue.ts'
import { noMetrics, stateSamples } from './port.ts'
import { createPrometheusMetrics } from './prometheus.ts'
import { startMetricsServer } from './server.ts'

const open = () => createPrometheusMetrics({ service: 'test', mode: 'sim' })
const linesOf = async (metrics: ReturnType<typeof open>, name: string): Promise<string[]> =>
  (await metrics.text()).split('\n').filter((line) => line.startsWith(name))

for (const [name, spec] of Object.entries(METRICS) as [string, MetricSpec][]) {
  test(`${name} is named as Prometheus names things`, () => {
    assert.match(name, /^jts_[a-z0-9]+(_[a-z0-9]+)*$/)
    assert.equal(name.endsWith('_total'), spec.kind === 'counter')
    if (spec.kind === 'histogram') {
      assert.match(name, /_seconds$/)
      assert.deepEqual(
        [...spec.buckets!].sort((a, b) => a - b),
        spec.buckets,
      )
    }
    for (const label of spec.labels) assert.match(label, /^[a-z][a-z_]*$/)
    // Set on every series: which process it is.
    assert.ok(!spec.labels.includes('service') && !spec.labels.includes('mode'))
  })
}

test('a series that was asked for twice counts once, and shows with the labels of its process', async () => {
  const metrics = open()
  const labels = { group: 'risk-management', topic: 'orders.events' }
  metrics.counter('jts_bus_events_handled_total', labels).inc()
  metrics.counter('jts_bus_events_handled_total', { ...labels }).inc(2)
  const expected =
    'jts_bus_events_handled_total{group="risk-management",topic="orders.events",service="test",mode="sim"} 3'
  assert.deepEqual(await linesOf(metrics, 'jts_bus_events_handled_total'), [expected])
  // Looking changes nothing.
  assert.deepEqual(await linesOf(metrics, 'jts_bus_events_handled_total'), [expected])
})

test('a figure that is known anyway is read when somebody looks, from everyone who has some', async () => {
  const metrics = open()
  let reads = 0
  for (const account of ['one', 'two']) {
    metrics.onScrape('jts_reconciliation_differences', () => {
      reads++
      return [{ labels: { account }, value: reads }]
    })
  }
  assert.equal(reads, 0)
  assert.deepEqual(await linesOf(metrics, 'jts_reconciliation_differences'), [
    'jts_reconciliation_differences{account="one",service="test",mode="sim"} 1',
    'jts_reconciliation_differences{account="two",service="test",mode="sim"} 2',
  ])
})

test('a latency falls into the buckets at and above it', async () => {
  const metrics = open()
  metrics.histogram('jts_order_latency_seconds', { hop: 'wire_to_ack', broker: 'binance' }).observe(0.004)
  const lines = await linesOf(metrics, 'jts_order_latency_seconds_bucket')
  const counts = lines.map((line) => [/le="([^"]+)"/.exec(line)![1], line.split(' ').at(-1)])
  assert.deepEqual(counts.filter(([, count]) => count === '1').map(([bound]) => bound)[0], '0.005')
  assert.deepEqual(
    counts.find(([bound]) => bound === '0.0025'),
    ['0.0025', '0'],
  )
})

test('memory, CPU and event-loop lag of the process are told under their usual names', async () => {
  const text = await open().text()
  for (const name of [
    'process_resident_memory_bytes',
    'process_cpu_seconds_total',
    'nodejs_eventloop_lag_p99_seconds',
  ]) {
    assert.match(text, new RegExp(`^${name}\\{`, 'm'))
  }
})

test('one state of several is 1', () => {
  const samples = [...stateSamples(['active', 'reducing', 'halted'], 'halted')]
  assert.deepEqual(
    samples.map(({ value }) => value),
    [0, 0, 1],
  )
})

test('off, nothing is kept and nothing is listened on', async () => {
  const options = { service: 'test', mode: 'sim', version: '1', runId: 'run', log: silentLogger }
  assert.equal(await openObservability(options), NOT_OBSERVED)
  const one = noMetrics.counter('jts_risk_checks_total', { result: 'approved', reason: '' })
  assert.equal(one, noMetrics.counter('jts_risk_checks_total', { result: 'denied', reason: 'TICK_SIZE' }))
})

test('/metrics answers on the loopback address; anything else there is refused', async () => {
  const observability = await openObservability({
    service: 'test',
    mode: 'sim',
    version: '1.2.3',
    runId: 'run',
    metricsPort: 0,
    pages: { '/targets': () => '[]' },
    log: silentLogger,
  })
  const url = observability.metricsUrl!
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
  const response = await fetch(url)
  assert.match(response.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/)
  assert.match(await response.text(), /jts_build_info\{version="1\.2\.3",node="v\d+/)
  assert.equal(await (await fetch(new URL('/targets', url))).text(), '[]')
  assert.equal((await fetch(new URL('/other', url))).status, 404)
  assert.equal((await fetch(url, { method: 'POST' })).status, 405)
  await observability.stop()
  await assert.rejects(fetch(url))
})

test('a port that is taken is refused, or replaced where any will do', async () => {
  const page = { contentType: 'text/plain', text: () => Promise.resolve('') }
  const other = await startMetricsServer(0, { '/metrics': page })
  const options = {
    service: 'test',
    mode: 'sim',
    version: '1',
    runId: 'run',
    metricsPort: other.port,
    log: silentLogger,
  }
  await assert.rejects(openObservability(options), { code: 'EADDRINUSE' })
  const observability = await openObservability({ ...options, orAnyPort: true })
  assert.notEqual(observability.metricsUrl, other.url)
  await observability.stop()
  await other.stop()
})
