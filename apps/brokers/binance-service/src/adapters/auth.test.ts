import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { Signer, toQuery } from './auth.ts'

// Keys and signatures of the venue's documentation.
const apiSecret = 'NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j'
const apiKey = 'vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A'
const signer = new Signer({ apiKey, apiSecret })

test('signs a REST query as the documentation does', () => {
  const query = signer.signedQuery([
    ['symbol', 'LTCBTC'],
    ['side', 'BUY'],
    ['type', 'LIMIT'],
    ['timeInForce', 'GTC'],
    ['quantity', '1'],
    ['price', '0.1'],
    ['recvWindow', '5000'],
    ['timestamp', '1499827319559'],
  ])
  assert.equal(query.split('&signature=')[1], 'c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71')
})

test('signs WebSocket API parameters sorted by name, whatever their order', () => {
  const signed = signer.signedParams({
    symbol: 'BTCUSDT',
    side: 'SELL',
    type: 'LIMIT',
    timeInForce: 'GTC',
    quantity: '0.01000000',
    price: '52000.00',
    recvWindow: 100,
    timestamp: 1645423376532,
  })
  assert.equal(signed['signature'], 'aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24')
})

test('percent-encodes before signing, so that what is signed is what is transmitted', () => {
  assert.equal(toQuery([['symbols', '["A","B"]']]), 'symbols=%5B%22A%22%2C%22B%22%5D')
  const [payload, signature] = signer.signedQuery([['symbols', '["A"]']]).split('&signature=')
  assert.equal(signature, signer.sign(payload!))
})

test('a signer shown to a log does not show the secret', () => {
  assert.ok(!inspect(signer, { depth: 9, showHidden: true }).includes(apiSecret))
  assert.ok(!JSON.stringify(signer).includes(apiSecret))
})
