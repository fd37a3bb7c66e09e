/** What comes back from Creon's service is late, unreadable, or refused; what goes there arrives twice. Binance does not notice. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { CreonApiClient } from '@jts/api-client'
import { accountId } from '@jts/model'
import { silentLogger, systemClock } from '@jts/runtime'
import { startJts, type JtsProcess } from '@jts/testkit'
import { CreonProcess } from './brokers/creon-process.ts'
import { openLog } from './open-log.ts'
import { AMBIGUOUS, BrokerProxy, type Spoiling } from './testing/broker-proxy.ts'
import {
  assertNothingTwice,
  CREON_ACCOUNT,
  creonLight,
  fillsOf,
  haltAndCompare,
  IN_AND_OUT,
  KRX_KNOWN,
  until,
  untilCreonAloneIsNotGreen,
  untilItTradesOn,
} from './testing/creon.ts'

/** With every count each day comes, and ends well before the next; without, one that is refused and one that is repeated. */
const FULL = process.env['JTS_TEST_FULL'] === '1'

const folder = mkdtempSync(join(tmpdir(), 'jts-creon-bad-days-'))
const dir = join(folder, 'data')
const account = accountId(CREON_ACCOUNT)
let creon: CreonProcess
let proxy: BrokerProxy
let jts: JtsProcess
let url: string

before(async () => {
  // Of the real service: the simulated one must not take it for its own.
  process.env['JTS_BROKER_KEYS'] = join(folder, 'of-the-real-one.json')
  creon = await CreonProcess.prepare({ dir: join(folder, 'creon'), account, log: silentLogger })
  creon.start()
  await until('creon-service is up', () => Promise.resolve(creon.state.state === 'up' ? true : undefined))
  proxy = new BrokerProxy(creon.port, creon.key.secret)
  const port = await proxy.start()
  writeFileSync(join(folder, 'in-and-out.ts'), IN_AND_OUT)
  const config = join(folder, 'jts.yaml')
  const strategies = [
    {
      instance: 'btc',
      strategy: 'ema-cross',
      instrument: 'BINANCE:BTCUSDT',
      timeframe: '1s',
      parameters: { fast: 2, slow: 4 },
    },
    { instance: 'samsung', strategy: join(folder, 'in-and-out.ts'), instrument: 'KRX:005930' },
  ]
  const accounts = [
    { name: 'main', broker: 'binance' },
    { name: 'krx', broker: 'creon' },
  ]
  writeFileSync(config, JSON.stringify({ accounts, creon: { host: '127.0.0.1', port }, krx: KRX_KNOWN, strategies }))
  const keys = { CREON_API_KEY: creon.key.id, CREON_API_SECRET: creon.key.secret }
  jts = startJts(['up', '--config', config, '--data-dir', dir, '--port', '0'], keys)
  url = (await jts.firstLine).slice('Dashboard: '.length)
  await until('fills at both brokers', async () =>
    (await fillsOf(url, 'KRX')).length >= 2 && (await fillsOf(url, 'BINANCE')).length >= 1 ? true : undefined,
  )
})
after(async () => {
  jts?.child.kill('SIGKILL')
  await jts?.ended
  await proxy?.stop()
  await creon?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const ALL_DAYS: readonly (readonly [Spoiling, 'a red light' | 'no light'])[] = [
  ['garbage', 'a red light'],
  ['wrong-key', 'a red light'],
  ['wrong-clock', 'a red light'],
  ['slow', 'no light'],
  ['replayed', 'no light'],
]

const DAYS = ALL_DAYS.filter(([how]) => FULL || how === 'wrong-key' || how === 'replayed')

for (const [how, shown] of DAYS) {
  test(`${how}: ${shown}, and Binance trades on`, async () => {
    proxy.spoil(how)
    if (shown === 'a red light') await untilCreonAloneIsNotGreen(url)
    await untilItTradesOn(url, 'BINANCE')
    if (how === 'replayed') await untilItTradesOn(url, 'KRX')
    if (FULL) await untilAllIsWell()
  })
}

test('that it cannot decide whose an order is, its light says, and the operator is told', async () => {
  proxy.spoil('ambiguous')
  await until('the light says so', async () => {
    const { state, reason } = await creonLight(url)
    return state === 'degraded' && reason?.startsWith(`${AMBIGUOUS.code}: ${AMBIGUOUS.message}`) ? true : undefined
  })
  await until('it was told', async () => ((await told()).includes('degraded') ? true : undefined))
  await until('its health says so', async () => {
    const health = (await (await fetch(`${url}/api/v1/health`)).json()) as {
      data: { services: { reason?: string }[] }
    }
    return health.data.services.some(({ reason }) => reason?.includes(AMBIGUOUS.message)) ? true : undefined
  })
})

/** What was said of it to the operator, of that an order is ambiguous and what came after: the states, each as it changed. */
async function told(): Promise<string[]> {
  const { log, close } = await openLog(dir)
  const states: string[] = []
  for await (const { type, payload } of log.read('system.health')) {
    if (type !== 'ServiceHealth' || payload.service !== 'creon-service') continue
    // Of one state there may be more to say than once.
    if (payload.state === states.at(-1)) continue
    if (states.length > 0 || payload.reason.includes(AMBIGUOUS.message)) states.push(payload.state)
  }
  await close()
  return states
}

async function untilAllIsWell(): Promise<void> {
  proxy.spoil('none')
  await until('the light of Creon is green again', async () =>
    (await creonLight(url)).state === 'up' ? true : undefined,
  )
  await untilItTradesOn(url, 'KRX')
}

test('afterwards Creon trades on, nothing was sent twice, nothing is lost, and the books are the broker’s', async () => {
  await untilAllIsWell()
  assert.ok(proxy.replays > 0)
  const { key, port } = creon
  const client = new CreonApiClient({
    windowsHost: '127.0.0.1',
    port,
    key,
    account,
    wallClock: systemClock,
    log: silentLogger,
  })
  await haltAndCompare(url, client)
  jts.child.kill('SIGTERM')
  const { code, stderr } = await jts.ended
  assert.equal(code, 0, stderr)
  await assertNothingTwice(dir)
  assert.deepEqual((await told()).slice(0, 2), ['degraded', 'up'])
})
