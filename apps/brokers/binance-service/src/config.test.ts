import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountId } from '@jts/model'
import { checkMode, endpointsOfVenue, parseBinanceEndpoints, PRODUCTION, TESTNET } from './config.ts'

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
