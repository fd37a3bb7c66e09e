/** Seeing it run: one trace from the tick to the notification, and figures of every process, in both modes. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { freePort } from '@jts/servers'
import { runJts, sleep, writeSyntheticBars } from '@jts/testkit'
import { SERVICE_NAMES } from './run-file.ts'

type Attributes = readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[]
type OtlpSpan = {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly attributes: Attributes
}
type Span = {
  readonly traceId: string
  readonly spanId: string
  readonly parent: string
  readonly name: string
  readonly process: string
  readonly of: (key: string) => string | undefined
}
type Otlp = {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Attributes }
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[]
  }[]
}

const folder = mkdtempSync(join(tmpdir(), 'jts-observe-'))
const data = writeSyntheticBars(join(folder, 'BTCUSDT-1m-7.csv'), { bars: 100, seed: 3, priceStart: 40_000 })
const spans: Span[] = []
let sha256: string | undefined
const collector = createServer((request, response) => {
  void read(request).then((body) => {
    assert.equal(request.url, '/v1/traces')
    for (const { resource, scopeSpans } of (JSON.parse(body) as Otlp).resourceSpans) {
      const process = valueOf(resource.attributes, 'service.name') ?? ''
      for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
        const { traceId, spanId, parentSpanId: parent = '', name, attributes } = span
        spans.push({ traceId, spanId, parent, name, process, of: (key) => valueOf(attributes, key) })
      }
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
})
before(async () => {
  collector.listen(0, '127.0.0.1')
  await once(collector, 'listening')
})
after(() => {
  collector.close()
  collector.closeAllConnections()
  rmSync(folder, { recursive: true, force: true })
})

async function traced(args: readonly string[], env: Record<string, string>): Promise<readonly Span[]> {
  spans.length = 0
  const { port } = collector.address() as AddressInfo
  const replay = ['up', '--replay', data, '--strategy', 'ema-cross', '--set', 'fast=3', '--set', 'slow=7']
  const result = await runJts([...replay, '--until-end', '--json', ...args], {
    ...env,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
  })
  assert.equal(result.code, 0, result.stderr)
  const { fills, fillsSha256 } = JSON.parse(result.stdout) as { fills: number; fillsSha256: string }
  // Whether and how it is looked at, the result is the same.
  assert.equal((sha256 ??= fillsSha256), fillsSha256)
  assert.ok(fills > 2, `expected fills to follow, found ${fills}`)
  return [...spans]
}

/** All that the processes of a run have said on their `/metrics`; read until `ended`. */
async function scraped(supervisor: string, ended: Promise<unknown>): Promise<readonly string[]> {
  const pages: string[] = []
  // A process that is about to end answers with something else, which says nothing of the figures it had.
  const get = (url: string): Promise<string | undefined> =>
    fetch(url, { signal: AbortSignal.timeout(2000) }).then(
      (response) => (response.ok ? response.text() : undefined),
      () => undefined,
    )
  let isOver = false
  void ended.finally(() => (isOver = true))
  while (!isOver) {
    const groups = await get(`http://${supervisor}/targets`)
    const targets = groups === undefined ? [] : (JSON.parse(groups) as { targets: string[] }[])[0]!.targets
    for (const target of targets) {
      const page = await get(`http://${target}/metrics`)
      if (page?.includes('process_resident_memory_bytes') === true) pages.push(page)
    }
    await sleep(200)
  }
  return pages
}

/** What one filled order leaves behind: `span < its parent`, whichever process wrote it. */
const ONE_ORDER = [
  'tick < ',
  'ask risk < tick',
  'CheckTradingRisk < ask risk',
  'process orders.signals by order-execution < tick',
  'place order < process orders.signals',
  'process orders.events OrderFilled by portfolio-tracker < place order',
  'process orders.events OrderFilled by strategy-engine < place order',
  'process orders.events OrderFilled by risk-management < place order',
  'process orders.events OrderFilled by notification-service < place order',
  'notify < process orders.events',
]

function checkOneTrace(found: readonly Span[], processes: Readonly<Record<string, string>>): void {
  const byId = new Map(found.map((span) => [span.spanId, span]))
  const sent = found.filter((span) => span.name === 'place order')
  assert.ok(sent.length > 2)
  // One tick causes one order here, and each tick's trace is its own.
  assert.equal(new Set(sent.map((span) => span.traceId)).size, sent.length)
  for (const { traceId } of sent) {
    const trace = found.filter((span) => span.traceId === traceId)
    const told = new Set(
      trace.flatMap((span) => {
        const parent = byId.get(span.parent)
        assert.ok(span.parent === '' || parent?.traceId === traceId, `${span.name} has a parent of another trace`)
        const event = span.of('jts.event_type')
        const group = span.of('messaging.consumer.group.name')
        const ending = ` < ${parent?.name ?? ''}`
        return [
          `${span.name}${ending}`,
          `${span.name} by ${group}${ending}`,
          `${span.name} ${event} by ${group}${ending}`,
        ]
      }),
    )
    for (const expected of ONE_ORDER) assert.ok(told.has(expected), `${expected}: not among ${[...told].join('; ')}`)
    const correlations = new Set(trace.map((span) => span.of('jts.correlation_id')))
    assert.equal(correlations.size, 1)
    assert.match([...correlations][0]!, /^candle\/BINANCE:BTCUSDT\/1m\/\d+$/)
    for (const [name, process] of Object.entries(processes)) {
      for (const span of trace.filter((one) => one.name === name)) assert.equal(span.process, process)
    }
  }
  // Ticks that caused nothing are not there.
  assert.ok(found.filter((span) => span.name === 'tick').length < 100)
}

test('one process: one trace from the tick to the notification', async () => {
  checkOneTrace(await traced([], {}), { tick: 'jts', notify: 'jts' })
})

test('several processes: the same trace, written by all of them, and figures of each', async () => {
  const supervisor = `127.0.0.1:${await freePort()}`
  // It starts its own servers. Slow enough that there is something to be seen for a while, however seldom one looks.
  const slowly = ['--speed', '400']
  const run = traced(['--distributed', ...slowly, '--metrics-port', supervisor.split(':')[1]!], {})
  const pages = await scraped(supervisor, run)
  checkOneTrace(await run, {
    tick: 'strategy-engine',
    CheckTradingRisk: 'risk-management',
    'place order': 'order-execution',
    notify: 'notification-service',
  })
  const wasSaid = (service: string, line: RegExp): void => {
    const its = new RegExp(`^process_resident_memory_bytes\\{.*service="${service}"`, 'm')
    const own = pages.filter((page) => its.test(page))
    assert.ok(
      own.some((page) => line.test(page)),
      `${service}: ${line} on none of its ${own.length} pages, the last: ${own.at(-1)}`,
    )
  }
  for (const service of ['supervisor', ...SERVICE_NAMES]) {
    wasSaid(service, /^process_resident_memory_bytes\{.*mode="sim"\} \d+/m)
  }
  for (const [service, line] of [
    [
      'order-execution',
      /^jts_breaker_state\{breaker="kafka order-execution\.sim\.binance\.main",state="closed",.*\} 1$/m,
    ],
    ['order-execution', /^jts_trading_state\{account="sim\.binance\.main",state="active",.*\} 1$/m],
    ['order-execution', /^jts_outbox_depth_events\{unit="order-execution\.sim\.binance\.main",.*\} \d+$/m],
    [
      'market-data-collector',
      /^jts_stream_up\{stream="market BINANCE market-data-collector\.binance\.\d+",.*\} [01]$/m,
    ],
    ['market-data-collector', /^jts_bus_events_published_total\{topic="market-data\.binance\.candles",.*\} \d+$/m],
    ['portfolio-tracker', /^jts_bus_events_handled_total\{group="portfolio-tracker",topic="orders\.events",.*\} \d+$/m],
    ['supervisor', /^jts_service_up\{process="risk-management",.*\} [01]$/m],
  ] as const) {
    wasSaid(service, line)
  }
})

test('nothing is recorded of what is not sampled', async () => {
  assert.deepEqual(await traced([], { OTEL_TRACES_SAMPLER_ARG: '0' }), [])
})

function valueOf(attributes: Attributes, key: string): string | undefined {
  return attributes.find((one) => one.key === key)?.value.stringValue
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
