/** The broker contract suite against creon-service, the real one over HTTP, on its simulated COM under our control. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { BrokerApiClient } from '@jts/api-client'
import { CASES, RawApi, runSuite, type VenueControl } from '@jts/broker-kit/contract-suite'
import { readKeysFile } from '@jts/broker-kit/server'
import { accountId, formatUnits, instrumentId, parseUnits, tickSizeAt } from '@jts/model'
import { Activity, silentLogger, systemClock } from '@jts/runtime'
import { createPrometheusMetrics } from '@jts/runtime/metrics/prometheus'
import { environmentOf } from '@jts/servers/python'
import { runJts } from '@jts/testkit'
import { Archive } from '@jts/transport'
import { wordOf } from './brokers/broker-word.ts'
import { createCreonBroker } from './brokers/creon.ts'
import type { BrokerAccount } from './brokers/managed-broker.ts'
import type { RunFile } from './distributed/run-file.ts'
import { openRunView, type RunView } from './distributed/run-view.ts'
import { HealthWatch, type HealthChange } from './health-watch.ts'
import type { RunSettings } from './services.ts'
import type { ServiceLight } from './service-light.ts'
import { creonLightOf } from './system.ts'
import { collected } from './testing/collected.ts'
import { startCreonService } from './testing/creon-service.ts'

const { python } = environmentOf('apps/brokers/creon-service/requirements-dev.txt')
const KRX_SAMSUNG = instrumentId('KRX:005930')
const CODE = 'A005930'

const folder = mkdtempSync(join(tmpdir(), 'jts-creon-'))
// The market never closes, and moves only by what is printed; the windows are short.
const market = ['--sim-always-open', '--sim-quiet', '--sim-control-port=0', '--sim-window-ms=300']
const service = await startCreonService(python, folder, [...market, '--reply-timeout-ms=30000'])
const { place } = service
const account = accountId(place.account)
const [key] = readKeysFile(place.keys)
const common = { baseUrl: place.url, key: key!, account, wallClock: systemClock, log: silentLogger }
const client = new BrokerApiClient({ ...common, actTimeoutMs: 40_000, askTimeoutMs: 40_000 })
const raw = new RawApi({ baseUrl: place.url, key: key!, account, clock: systemClock })
after(async () => {
  await client.stop()
  await service.kill()
  rmSync(folder, { recursive: true, force: true })
})

async function tell(path: string, body: object): Promise<void> {
  const answer = await fetch(`${place.controlUrl}${path}`, { method: 'POST', body: JSON.stringify(body) })
  assert.equal(answer.status, 200, await answer.text())
}

type VenueState = { readonly orders: readonly { readonly kind: string }[] }
async function venueOrders(): Promise<number> {
  const state = (await (await fetch(`${place.controlUrl}/state`)).json()) as VenueState
  return state.orders.filter(({ kind }) => kind === '1').length
}

const control: VenueControl = {
  async fillPart(clientOrderId) {
    const open = await client.openOrders(KRX_SAMSUNG)
    const order = open.find((one) => one.clientOrderId === clientOrderId)
    const [quote] = await client.quotes([KRX_SAMSUNG])
    // One in four shares is ours; then the price is where it was.
    await tell('/print', { code: CODE, price: Number(formatUnits(order!.limitPrice!)), quantity: 8 })
    await tell('/print', { code: CODE, price: quote!.lastPrice, quantity: 1 })
  },
  loseNextAnswer: () => tell('/faults', { name: 'lost-after-accept', count: 1, match: 'cptd0311' }),
  dropStreams: () => tell('/session', { state: 'lost' }),
}

async function connected(): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const { body } = await raw.call({ method: 'GET', target: '/api/v1/health' })
    if ((body as { data?: { status?: string } }).data?.status === 'up') return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.fail('expected the session to open within 30 s')
}

test('what is listed is told as what it is, and as it stands now', async () => {
  await connected()
  await tell('/restrict', { code: 'A069500', halted: true })
  await tell('/restrict', { code: 'A247540', administrative: true, control: 2 })
  const found = await client.instruments(['KRX:069500', 'KRX:247540'].map(instrumentId))
  assert.deepEqual(
    found.map(({ listing, restrictions, tradable, sessions }) => ({ ...listing, restrictions, tradable, sessions })),
    [
      { market: 'KOSPI', kind: 'etf', restrictions: ['halted'], tradable: true, sessions: undefined },
      { market: 'KOSDAQ', kind: 'stock', restrictions: ['managed', 'warning'], tradable: true, sessions: undefined },
    ],
  )
  assert.deepEqual(
    found.map((one) => formatUnits(tickSizeAt(one, parseUnits('30000')))),
    ['5', '50'],
  )
})

test('every case of the contract suite passes, or is excused by the capability table', async () => {
  await connected()
  await client.start()
  const before = await venueOrders()
  const results = await runSuite(CASES, {
    ...{ broker: client, market: client, instrument: KRX_SAMSUNG, clock: systemClock, boldness: 'full', raw, control },
    prefix: 'creon',
  })
  const bad = results.filter(({ outcome }) => outcome === 'failed' || outcome === 'not_run')
  assert.deepEqual(bad, [])
  assert.ok(results.filter(({ outcome }) => outcome === 'passed').length >= 40)
  assert.ok((await venueOrders()) > before)
})

test('that the HTS is logged out is what its light says and what is told, until it is logged in again', async (t) => {
  await connected()
  const metrics = createPrometheusMetrics({ service: 'jts', mode: 'sim' })
  const activity = new Activity()
  const { hostname: host, port } = new URL(place.url)
  const owner = { account, apiKey: key!.id, apiSecret: key!.secret }
  const parts = { activity, metrics, wallClock: systemClock, log: silentLogger }
  const broker = createCreonBroker({ host, port: Number(port) }, owner, parts)
  t.after(() => broker.stop())
  await broker.start()
  const ignored = { onOrder: () => undefined, onBalances: () => undefined, onAdjustment: () => undefined }
  broker.subscribeOrders({ ...ignored, onOrderStream: () => undefined })

  const watch = new HealthWatch()
  const told: HealthChange[] = []
  const until = async (isSo: (light: ServiceLight) => boolean): Promise<ServiceLight> => {
    for (let look = 0; look < 1200; look++) {
      const light = creonLightOf(activity.absentees(), wordOf(activity, 'creon'))
      told.push(...watch.look([light]))
      if (isSo(light)) return light
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    return assert.fail('expected another light within two minutes')
  }
  const isToldAs = (state: HealthChange['state']) => () => told.at(-1)?.state === state
  await until(({ state }) => state === 'up')
  const budgets = /^jts_broker_rate_budget_headroom_ratio\{[^}]*window="(\w+)\/[\d.]+s"[^}]*\} (?:1|0(?:\.\d+)?)$/gm
  const shown = await metrics.text()
  assert.deepEqual([...shown.matchAll(budgets)].map(([, name]) => name).sort(), ['quote', 'trade'])
  assert.match(shown, /^jts_breaker_state\{(?=[^}]*breaker="creon")[^}]*state="closed"[^}]*\} 1$/m)

  await tell('/faults', { name: 'login-fails' })
  await tell('/session', { state: 'lost' })
  const { reason } = await until(({ says }) => says?.[0]?.code === 'SESSION_LOGGED_OUT')
  assert.match(reason!, /^SESSION_LOGGED_OUT: .*; waiting for it: orders of /)
  await until(isToldAs('degraded'))
  // Between processes, who looks at the run asks it himself: of everybody else he hears nothing here.
  const view = openView({ host, port: Number(port) }, owner)
  t.after(() => view.stop())
  await view.start()
  await until(() => view.creonLight().says?.[0]?.code === 'SESSION_LOGGED_OUT')
  assert.equal(view.creonLight().state, 'degraded')

  await tell('/faults', { clear: true })
  await tell('/session', { state: 'in' })
  await until(isToldAs('up'))
  assert.match(told.map(({ reason: why }) => why).join('\n'), /SESSION_LOGGED_OUT/)
})

/** Of a run whose servers and processes are all away. */
function openView(creon: RunSettings['creon'], owner: BrokerAccount): RunView {
  const nowhere = { rest: 'http://127.0.0.1:1', streams: 'ws://127.0.0.1:1', wsApi: 'ws://127.0.0.1:1/ws-api/v3' }
  const common = {
    mode: 'sim',
    runId: 'creon',
    replay: false,
    endpoints: nowhere,
    instances: [],
    instruments: [],
  } as const
  const run: RunFile = {
    ...{ ...common, instances: [], instruments: [], namespace: 'sim-creon', kafkaBrokers: ['127.0.0.1:1'] },
    ...{ redisUrl: 'redis://127.0.0.1:1', databaseUrl: 'postgres://127.0.0.1:1/jts', accounts: [], members: [] },
    ...{ brokerKey: { id: key!.id, secret: key!.secret }, limits: {}, rpc: {}, sendWindowUs: 2_000_000 },
  }
  const settings: RunSettings = { ...common, creon, accounts: [owner], limits: {}, sendWindowUs: 2_000_000 }
  const archive = new Archive(join(folder, 'archive'))
  return openRunView({ run, settings, databaseUrl: run.databaseUrl!, archive, name: 'test', log: silentLogger })
}

// Until it is collected: what the venue holds open; until it is traded again in a backtest: what JTS expects of that day.
for (const [name, fromDay, toDay, bars] of [
  ['the day of the university entrance exam', '2026-11-18', '2026-11-20', 3 * 381],
  ['the first session of a year', '2025-12-30', '2026-01-05', 381 + 321 + 381],
] as const) {
  test(`minutes over ${name}, when the hours are others, are collected, exported and traded in a backtest`, async (t) => {
    const { told, file } = await collected(t, python, { timeframe: '1m', fromDay, toDay })
    assert.equal(told.length, bars)
    const backtest = await runJts(['backtest', 'ema-cross', '--data', file, '--json'])
    assert.equal(backtest.code, 0, backtest.stderr)
    assert.equal((JSON.parse(backtest.stdout) as { bars: number }).bars, bars)
  })
}
