/** Keys of a real account are in the environment of its broker's service, and of nobody else. */
import { spawnSync } from 'node:child_process'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, test } from 'node:test'
import { brokerKeyOf, environmentFor, settingsOf, writeRunFile, type RunFile } from './run-file.ts'
import { SERVICE_NAMES } from './service-names.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-run-file-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const before = { ...process.env }
afterEach(() => {
  process.env = { ...before }
})

const KEYS = {
  binance: ['JTS_BINANCE_API_KEY', 'JTS_BINANCE_API_SECRET', 'SECOND_KEY', 'SECOND_SECRET'],
  creon: ['CREON_API_KEY', 'CREON_API_SECRET'],
}
const run: RunFile = {
  mode: 'live',
  replay: false,
  namespace: 'live-test',
  kafkaBrokers: ['127.0.0.1:1'],
  endpoints: { rest: 'http://127.0.0.1:1', streams: 'ws://127.0.0.1:1', wsApi: 'ws://127.0.0.1:1/ws-api/v3' },
  brokerKey: brokerKeyOf(folder),
  accounts: [
    { name: 'main', broker: 'binance' },
    { name: 'second', broker: 'binance', apiKeyEnv: 'SECOND_KEY', apiSecretEnv: 'SECOND_SECRET' },
    { name: 'krx', broker: 'creon' },
  ],
  instances: [],
  instruments: [],
  limits: {},
  runId: 'test',
  sendWindowUs: 2_000_000,
  rpc: {},
  members: [],
}

test('each process is given the keys that it has a use for', () => {
  for (const name of Object.values(KEYS).flat()) process.env[name] = `value of ${name}`
  const known = (service: (typeof SERVICE_NAMES)[number]): string[] =>
    Object.values(KEYS)
      .flat()
      .filter((name) => name in environmentFor(service, run.accounts))
  for (const service of SERVICE_NAMES) {
    const speaksWithCreon = service === 'order-execution' || service === 'market-data-collector'
    const expected = service === 'binance-service' ? KEYS.binance : speaksWithCreon ? KEYS.creon : []
    assert.deepEqual(known(service), expected, service)
  }
  assert.equal(environmentFor('order-execution', run.accounts)['PATH'], process.env['PATH'])
})

test('a service asks for no keys but those, and says which are missing', async () => {
  for (const name of KEYS.creon) process.env[name] = `value of ${name}`
  for (const service of SERVICE_NAMES) {
    if (service === 'binance-service') continue
    const { accounts } = await settingsOf(run, service)
    assert.deepEqual(
      accounts.map(({ account }) => account),
      ['live.binance.main', 'live.binance.second', 'live.creon.krx'],
    )
  }
  await assert.rejects(settingsOf(run, 'binance-service'), { name: 'UserError', message: /JTS_BINANCE_API_KEY/ })
  for (const name of KEYS.binance) process.env[name] = `value of ${name}`
  const { accounts } = await settingsOf(run, 'binance-service')
  assert.deepEqual(
    accounts.map(({ apiKey }) => apiKey),
    ['value of JTS_BINANCE_API_KEY', 'value of SECOND_KEY', ''],
  )
})

test('the key of the broker services is made once for a folder', () => {
  writeRunFile(folder, run)
  assert.deepEqual(brokerKeyOf(folder), run.brokerKey)
})

test('a process that has stopped ends, although it was looking for another run', () => {
  const module = JSON.stringify(new URL('./run-file.ts', import.meta.url).href)
  const program = `const { untilReplaced } = await import(${module}); void untilReplaced('/none', undefined)`
  const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 120_000 })
  assert.equal(status, 0)
})
