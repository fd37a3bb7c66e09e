/** The way of every request through its endpoint: limits, mandatory parameters, key, timing, signature, answer. */
import { errors } from './errors.ts'
import type { Call, Endpoint } from './endpoints/endpoint.ts'
import type { Params } from './params.ts'
import type { TimeOf } from './payloads.ts'
import { checkSignature, checkTiming } from './signature.ts'
import type { Venue } from './venue.ts'

export type Credentials = { readonly apiKey: string | undefined; readonly payload: () => string }

/**
 * Counts the request and finds out who asks. The order of complaints: −1102 for what is missing, −2014/−2015 for the key,
 * −1021 for the time, −1022 for the signature.
 * @throws BinanceError
 */
export function openCall(
  venue: Venue,
  endpoint: Endpoint,
  params: Params,
  from: Credentials & { ip: string; time: TimeOf },
): Call {
  const weight = typeof endpoint.weight === 'number' ? endpoint.weight : endpoint.weight(params)
  venue.limits.use(from.ip, weight)
  for (const name of endpoint.mandatory ?? []) params.required(name)
  const account = endpoint.security === 'none' ? -1 : authenticate(venue, endpoint.security, params, from)
  venue.exchange.timeUs = venue.clock.nowUs()
  return { venue, params, time: from.time, account, events: [] }
}

/** The caller's account. @throws BinanceError */
export function authenticate(venue: Venue, security: 'key' | 'signed', params: Params, from: Credentials): number {
  const isSigned = security === 'signed'
  const timestamp = isSigned ? params.required('timestamp') : ''
  const signature = isSigned ? params.required('signature') : ''
  if (from.apiKey === undefined || !/^[A-Za-z0-9]{16,128}$/.test(from.apiKey)) throw errors.keyFormat()
  const account = venue.accounts.findIndex(({ apiKey }) => apiKey === from.apiKey)
  if (account < 0) throw errors.key()
  if (isSigned) {
    checkTiming(timestamp, params.text('recvWindow'), Date.now())
    checkSignature(venue.accounts[account]!.apiSecret, from.payload(), signature)
  }
  return account
}
