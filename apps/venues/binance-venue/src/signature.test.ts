import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkSignature, checkTiming, restPayload, sign, socketPayload } from './signature.ts'

// The published examples of https://developers.binance.com/docs/binance-spot-api-docs
const SECRET = 'NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j'
const QUERY =
  'symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559'
const SIGNATURE = 'c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71'

test('signs the published REST example, wherever the signature stands and whatever its case', () => {
  assert.equal(sign(SECRET, QUERY), SIGNATURE)
  const [symbol, ...rest] = QUERY.split('&')
  for (const [query, body] of [
    [`${QUERY}&signature=${SIGNATURE}`, ''],
    ['', `${QUERY}&signature=${SIGNATURE}`],
    [`${symbol}&signature=${SIGNATURE}&${rest.join('&')}`, ''],
  ] as const) {
    assert.equal(restPayload(query, body), QUERY)
  }
  assert.doesNotThrow(() => checkSignature(SECRET, QUERY, SIGNATURE.toUpperCase()))
  assert.throws(() => checkSignature(SECRET, `${QUERY}0`, SIGNATURE), { code: -1022 })
})

test('joins query and body without a separator', () => {
  assert.equal(restPayload('a=1', 'b=2&signature=x'), 'a=1b=2')
})

test('signs the published WebSocket API example over sorted parameters', () => {
  const params = new Map(
    Object.entries({
      symbol: 'BTCUSDT',
      side: 'SELL',
      type: 'LIMIT',
      timeInForce: 'GTC',
      quantity: '0.01000000',
      price: '52000.00',
      recvWindow: '100',
      timestamp: '1645423376532',
      apiKey: 'vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A',
      signature: 'left out',
    }),
  )
  assert.equal(sign(SECRET, socketPayload(params)), 'aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24')
})

test('accepts a timestamp only inside its window, in milliseconds or microseconds', () => {
  const NOW = 1_700_000_000_000
  const cases: [number | string, string | undefined, number | 'ok'][] = [
    [NOW, undefined, 'ok'],
    [NOW - 5000, undefined, 'ok'],
    [NOW - 5001, undefined, -1021],
    [NOW - 5001, '6000', 'ok'],
    [NOW - 3, '2.5', -1021],
    [NOW - 2, '2.5', 'ok'],
    [NOW + 999, undefined, 'ok'],
    [NOW + 1000, undefined, -1021],
    [NOW * 1000, undefined, 'ok'],
    [(NOW - 5001) * 1000, undefined, -1021],
    [NOW, '60000', 'ok'],
    [NOW, '60001', -1131],
    [NOW, '1.2345', -1100],
    ['now', undefined, -1100],
  ]
  for (const [timestamp, recvWindow, expected] of cases) {
    const check = () => checkTiming(String(timestamp), recvWindow, NOW)
    if (expected === 'ok') assert.doesNotThrow(check, `${timestamp} ${recvWindow}`)
    else assert.throws(check, { code: expected }, `${timestamp} ${recvWindow}`)
  }
})
