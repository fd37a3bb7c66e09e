import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { accountId } from '@jts/model'
import { checkMode, endpointsOfVenue, parseBinanceEndpoints, PRODUCTION, TESTNET, venueHost } from './config.ts'

test('the names of the two exchanges stand for their addresses', () => {
  assert.equal(parseBinanceEndpoints('production'), PRODUCTION)
  assert.equal(parseBinanceEndpoints('testnet'), TESTNET)
})

test('a local venue serves all three on one port', () => {
  const expected = {
    rest: 'http://127.0.0.1:9001',
    streams: 'ws://127.0.0.1:9001',
    wsApi: 'ws://127.0.0.1:9001/ws-api/v3',
  }
  assert.deepEqual(endpointsOfVenue('http://127.0.0.1:9001/'), expected)
  assert.deepEqual(parseBinanceEndpoints({ venue: 'http://127.0.0.1:9001' }), expected)
  assert.deepEqual(parseBinanceEndpoints(expected), expected)
})

const REFUSED: readonly (readonly [string, unknown, RegExp])[] = [
  ['nothing', undefined, /expected production, testnet or an object/],
  ['another name', 'prod', /found "prod"/],
  ['plain http to another machine', { venue: 'http://10.0.0.5:80' }, /expected https:.*found http:\/\/10\.0\.0\.5/],
  ['plain ws to another machine', { ...PRODUCTION, streams: 'ws://stream.binance.com' }, /streams: expected wss:/],
  ['a missing address', { rest: 'https://api.binance.com' }, /streams: expected an address/],
  ['another protocol', { ...PRODUCTION, rest: 'ftp://api.binance.com' }, /rest: .*found ftp:/],
  ['a password in the address', { ...PRODUCTION, rest: 'https://me:pw@api.binance.com' }, /without user, password/],
  ['venue and addresses together', { venue: 'http://127.0.0.1:1', rest: 'https://a.b' }, /found both/],
  ['an unknown name', { venue: 'http://127.0.0.1:1', apiSecret: 'x' }, /found apiSecret/],
]
for (const [name, config, message] of REFUSED) {
  test(`refuses ${name}`, () => {
    assert.throws(() => parseBinanceEndpoints(config), { name: 'BrokerError', code: 'CONFIG', message })
  })
}

test('a refusal never repeats a password of the address', () => {
  assert.throws(
    () => parseBinanceEndpoints({ ...PRODUCTION, rest: 'https://me:pw@api.binance.com' }),
    (error: Error) => !error.message.includes('pw@'),
  )
})

test('a simulated account is refused anything but this machine, a paper account the production exchange', () => {
  const local = endpointsOfVenue('http://127.0.0.1:9001')
  assert.throws(() => checkMode(accountId('sim.binance.main'), TESTNET), /expected addresses on this machine/)
  assert.throws(() => checkMode(accountId('paper.binance.main'), PRODUCTION), /expected the testnet/)
  checkMode(accountId('sim.binance.main'), local)
  checkMode(accountId('paper.binance.main'), TESTNET)
  checkMode(accountId('live.binance.main'), PRODUCTION)
})

test('a local venue in a container is named on purpose, by a name that no public address can have', () => {
  assert.deepEqual(venueHost({}), [])
  assert.deepEqual(venueHost({ JTS_VENUE_HOST: 'binance-venue' }), ['binance-venue'])
  for (const name of ['api.binance.com', '10.0.0.5', '::1', '2130706433', 'venue:80', 'Venue', '-']) {
    assert.throws(() => venueHost({ JTS_VENUE_HOST: name }), /expected the name of a container, without a dot/, name)
  }
})

test('the named venue may be spoken to in plain text, and no other', () => {
  const script = `
    const { endpointsOfVenue, checkMode } = await import('./config.ts')
    checkMode('sim.binance.main', endpointsOfVenue('http://binance-venue:9001'))
    for (const url of ['http://other:9001', 'http://binance-venue.evil.com:9001']) {
      let refused = false
      try { endpointsOfVenue(url) } catch { refused = true }
      if (!refused) throw new Error(url + ' was accepted')
    }`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], JTS_VENUE_HOST: 'binance-venue' },
  })
  assert.equal(status, 0, stderr)
})
