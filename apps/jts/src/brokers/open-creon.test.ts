/** Where an account at Creon leads, by the configuration and the environment. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, describe, it } from 'node:test'
import { silentLogger } from '@jts/runtime'
import { accountFor, configSchema } from '../config.ts'
import { isOfCreon } from './creon.ts'
import { environmentOf } from './creon-process.ts'
import { openCreon } from './open-creon.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-open-creon-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const before = { ...process.env }
afterEach(() => {
  process.env = { ...before }
})

const krx = { name: 'krx', broker: 'creon' }
const main = { name: 'main', broker: 'binance' }
const live = { mode: 'live', live: true, risk: { notionalMaxPerOrder: 1 } }

it('the simulated service has no key of a real account, and no setting of the real one', () => {
  const real = [
    'JTS_BINANCE_API_SECRET',
    'JTS_BROKER_KEYS',
    'CREON_API_SECRET',
    'CREON_ACCOUNT',
    'DATABASE_URL',
    'OWN_KEY',
  ]
  const given = { PATH: '/bin', TZ: 'UTC', ...Object.fromEntries(real.map((name) => [name, 'x'])) }
  assert.deepEqual(environmentOf(given), { PATH: '/bin', TZ: 'UTC' })
})

const open = (config: object) => openCreon(configSchema.parse(config), folder, silentLogger)

describe('an account at Creon', () => {
  it('is not there unless one is configured', async () => assert.equal(await open({}), undefined))

  it('is in sim at a service of our own, whose key is made once', async () => {
    const one = await open({ accounts: [main, krx] })
    assert.equal(one!.accounts[0]!.account, 'sim.creon.krx')
    assert.equal(one!.address.host, '127.0.0.1')
    assert.equal(one!.light()!.state, 'starting')
    const again = await open({ accounts: [main, krx] })
    assert.equal(again!.accounts[0]!.apiSecret, one!.accounts[0]!.apiSecret)
  })

  it('is elsewhere where the environment, before the configuration, says so', async () => {
    process.env['CREON_API_KEY'] = 'jts'
    process.env['CREON_API_SECRET'] = 'secret'
    const config = { ...live, accounts: [krx], creon: { host: '192.168.1.100' } }
    assert.deepEqual((await open(config))!.address, { host: '192.168.1.100', port: 8001 })
    process.env['CREON_API_HOST'] = 'windows.lan'
    process.env['CREON_API_PORT'] = '9001'
    const given = (await open(config))!
    assert.deepEqual(given.address, { host: 'windows.lan', port: 9001 })
    assert.deepEqual(given.accounts, [{ account: 'live.creon.krx', apiKey: 'jts', apiSecret: 'secret' }])
  })

  it('is the simulated one of the examples, whatever the environment says of a deployment', async () => {
    process.env['CREON_API_HOST'] = 'windows.lan'
    const config = configSchema.parse({ accounts: [main, krx] })
    const example = await openCreon(config, folder, silentLogger, { isExample: true })
    assert.equal(example!.address.host, '127.0.0.1')
  })

  it('is where the configuration says while the environment has the words and no value, as containers pass them on', async () => {
    Object.assign(process.env, { CREON_API_KEY: 'jts', CREON_API_SECRET: 'secret' })
    Object.assign(process.env, { CREON_API_HOST: '', CREON_API_PORT: '' })
    const config = { ...live, accounts: [krx], creon: { host: '192.168.1.100', port: 9001 } }
    assert.deepEqual((await open(config))!.address, { host: '192.168.1.100', port: 9001 })
    process.env['CREON_API_PORT'] = 'x'
    assert.equal((await open({ accounts: [main, krx] }))!.address.host, '127.0.0.1', 'a port alone says nothing')
  })

  const refused: [name: string, config: object, message: RegExp, environment?: Record<string, string>][] = [
    ['paper', { mode: 'paper', accounts: [krx] }, /expected mode sim or live for krx, found paper/],
    ['live without an address', { ...live, accounts: [krx] }, /expected the address of Creon's service/],
    ['two accounts at one simulated login', { accounts: [krx, { ...krx, name: 'two' }] }, /expected one account/],
    [
      'no keys',
      { ...live, accounts: [krx], creon: { host: 'a' } },
      /CREON_API_KEY and CREON_API_SECRET, found no CREON_API_KEY/,
    ],
    [
      'a port that is none',
      { accounts: [krx] },
      /CREON_API_PORT: expected a port such as 8001, found "x"/,
      { CREON_API_HOST: 'a', CREON_API_PORT: 'x' },
    ],
  ]
  for (const [name, config, message, environment = {}] of refused) {
    it(`is refused with ${name}`, async () => {
      Object.assign(process.env, environment)
      await assert.rejects(open(config), { name: 'UserError', message })
    })
  }
})

describe('the account of a strategy instance', () => {
  const accounts = configSchema.parse({ accounts: [main, krx] }).accounts
  it('is the first at a broker of its instrument’s venue', () => {
    assert.equal(accountFor(accounts, { instrument: 'KRX:005930' }).name, 'krx')
    assert.equal(accountFor(accounts, { instrument: 'BINANCE:BTCUSDT' }).name, 'main')
  })
  it('that is named must be at such a broker', () => {
    assert.throws(() => accountFor(accounts, { account: 'main', instrument: 'KRX:005930' }), {
      message: 'expected an account at a broker that trades KRX:005930, found main at binance',
    })
    assert.throws(() => accountFor(accounts, { instrument: 'UPBIT:KRW-BTC' }), { message: /found none/ })
  })
})

it('what waits for Creon is told from what waits for others', () => {
  const waiting = ['creon-service', 'creon breaker', 'creon-service, market data 1', 'order-execution sim.creon.krx']
  assert.ok(waiting.every(isOfCreon))
  assert.ok(!['binance-service, orders sim.binance.main', 'market-data-collector', 'binance breaker'].some(isOfCreon))
})
