/** Where Binance is: production, testnet, or a local venue. Parsed once at the door. */
import { BrokerError } from '@jts/broker-kit'
import { accountMode, type AccountId } from '@jts/model'

export type BinanceEndpoints = { readonly rest: string; readonly streams: string; readonly wsApi: string }

export const PRODUCTION: BinanceEndpoints = {
  rest: 'https://api.binance.com',
  streams: 'wss://stream.binance.com:9443',
  wsApi: 'wss://ws-api.binance.com:443/ws-api/v3',
}

/** https://developers.binance.com/docs/binance-spot-api-docs/testnet */
export const TESTNET: BinanceEndpoints = {
  rest: 'https://testnet.binance.vision',
  streams: 'wss://stream.testnet.binance.vision',
  wsApi: 'wss://ws-api.testnet.binance.vision/ws-api/v3',
}

const fault = (message: string): BrokerError => new BrokerError('CONFIG', `binance endpoints: ${message}`)

/**
 * Who may be spoken to in plain text: this machine and, where JTS_VENUE_HOST names one on purpose, a local venue in a private
 * network of containers. Such a name has no dot and no colon, so that no public address can be one.
 */
const NEARBY: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]', ...venueHost(process.env)])

/** All three endpoints of a local venue, which serves them on one port. */
export function endpointsOfVenue(restUrl: string): BinanceEndpoints {
  const rest = parseUrl('rest', restUrl, ['http:', 'https:'])
  const socket = rest.replace(/^http/, 'ws')
  return { rest, streams: socket, wsApi: `${socket}/ws-api/v3` }
}

/**
 * `production`, `testnet`, `{ venue: 'http://127.0.0.1:9001' }`, or all three addresses.
 * @throws BrokerError that says what was expected and found.
 */
export function parseBinanceEndpoints(config: unknown): BinanceEndpoints {
  if (config === 'production') return PRODUCTION
  if (config === 'testnet') return TESTNET
  if (typeof config !== 'object' || config === null) {
    throw fault(`expected production, testnet or an object with addresses, found ${JSON.stringify(config)}`)
  }
  const { venue, rest, streams, wsApi, ...others } = config as Record<string, unknown>
  const unknown = Object.keys(others)
  if (unknown.length > 0) throw fault(`expected venue, or rest, streams and wsApi; found ${unknown.join(', ')}`)
  if (venue !== undefined) {
    if (rest !== undefined || streams !== undefined || wsApi !== undefined) {
      throw fault('expected either venue or the three addresses, found both')
    }
    return endpointsOfVenue(parseUrl('venue', venue, ['http:', 'https:']))
  }
  return {
    rest: parseUrl('rest', rest, ['http:', 'https:']),
    streams: parseUrl('streams', streams, ['ws:', 'wss:']),
    wsApi: parseUrl('wsApi', wsApi, ['ws:', 'wss:']),
  }
}

/** Without user, query or fragment: addresses get logged. Unencrypted only to this machine. */
function parseUrl(name: string, value: unknown, protocols: readonly [plain: string, encrypted: string]): string {
  const [plain, encrypted] = protocols
  const expected = `${name}: expected an address such as ${encrypted}//host`
  if (typeof value !== 'string' || !URL.canParse(value)) throw fault(`${expected}, found ${JSON.stringify(value)}`)
  const url = new URL(value)
  if (url.protocol !== plain && url.protocol !== encrypted) throw fault(`${expected}, found ${url.protocol}//`)
  if (url.username || url.password || url.search || url.hash) {
    throw fault(`${name}: expected an address without user, password, query or fragment`)
  }
  if (url.protocol === plain && !NEARBY.has(url.hostname)) {
    throw fault(`${name}: expected ${encrypted}// (only this machine may be spoken to in plain), found ${url.origin}`)
  }
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}`
}

/** A simulated account talks to a local venue only, a paper account never to the production exchange. */
export function checkMode(account: AccountId, endpoints: BinanceEndpoints): void {
  const mode = accountMode(account)
  const hosts = Object.values(endpoints).map((address) => new URL(address).hostname)
  if (mode === 'sim' && !hosts.every((host) => NEARBY.has(host))) {
    throw fault(`${account}: expected addresses on this machine, found ${hosts.join(', ')}`)
  }
  if (mode === 'paper' && hosts.some((host) => /(^|\.)binance\.com$/.test(host))) {
    throw fault(`${account}: expected the testnet or a local venue, found ${hosts.join(', ')}`)
  }
}

/** @throws BrokerError when it could name more than a neighbour */
export function venueHost(env: NodeJS.ProcessEnv): string[] {
  const host = env['JTS_VENUE_HOST'] ?? ''
  if (host === '') return []
  if (/^[a-z]([a-z0-9-]*[a-z0-9])?$/.test(host)) return [host]
  throw fault(`JTS_VENUE_HOST: expected the name of a container, without a dot, found ${JSON.stringify(host)}`)
}
