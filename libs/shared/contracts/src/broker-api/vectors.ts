/** Requests with their signatures, for whoever implements the scheme in another language. The secret is no secret. */
import { canonicalText, signatureOf } from './signature.ts'

const SECRET = 'not-a-secret-0123456789abcdefghij'
const order =
  '{"account":"sim.binance.main","clientOrderId":"k3J9-xQ2b7_0aZ","instrument":"BINANCE:BTCUSDT","side":"buy","type":"limit","timeInForce":"gtc","quantity":"0.001","limitPrice":"90000","intentTimeUs":1795392930123456,"sendBeforeUs":1795392932123456}'

const REQUESTS = [
  { says: 'no body', method: 'GET', target: '/api/v1/health', body: '' },
  {
    says: 'a query, exactly as sent',
    method: 'GET',
    target: '/api/v1/fills?account=sim.binance.main&after=a1.0&limit=2',
    body: '',
  },
  {
    says: 'a query that is percent-encoded stays so',
    method: 'GET',
    target: '/api/v1/market-data/quotes?instrument=BINANCE%3ABTCUSDT&instrument=BINANCE:ETHUSDT',
    body: '',
  },
  { says: 'an order', method: 'POST', target: '/api/v1/orders', body: order },
  {
    says: 'a body beyond ASCII, as UTF-8',
    method: 'PUT',
    target: '/api/v1/accounts/live.creon.main/gate',
    body: '{"state":"halted","reason":"사람이 멈춤"}',
  },
  { says: 'the stream: the upgrade request', method: 'GET', target: '/api/v1/stream', body: '' },
]

export const SIGNATURE_VECTORS = REQUESTS.map((request, index) => {
  const signed = { ...request, timestampUs: String(1795392930123456 + index), nonce: `nonce-of-vector-${index}` }
  return { ...signed, secret: SECRET, canonical: canonicalText(signed), signature: signatureOf(signed, SECRET) }
})
