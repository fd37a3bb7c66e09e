/** What a light shows while something waits: of a broker one sentence, in however many places it is waited for. */
import { breakerReason, openBreakers } from '../broker-guards.ts'
import type { ServiceLight } from '../service-light.ts'
import { isOfBinance } from './broker-services.ts'
import type { BrokerWord } from './broker-word.ts'
import { isOfCreon } from './creon.ts'

/** @param word what the broker's service says of itself: it knows better than who waits for it */
export function waitingLight(absent: readonly string[], word?: BrokerWord): Omit<ServiceLight, 'name'> {
  const says = word === undefined || (word.isOld && isSilent(absent)) ? [] : word.says
  const own = says.map(({ code, message }) => `${code}: ${message}`).join('; ')
  const [broker] = openBreakers(absent)
  if (says.length > 0) {
    if (broker !== undefined) return { state: 'down', reason: breakerReason(broker, own), breaker: 'open', says }
    const waiting = whoWaits(absent)
    const reason = waiting === '' ? own : `${own}; waiting for it: ${waiting}`
    return { state: says.every(({ code }) => code === CONNECTING) ? 'starting' : 'degraded', reason, says }
  }
  if (broker !== undefined) return { state: 'down', reason: breakerReason(broker), breaker: 'open' }
  if (absent.length === 0) return { state: 'up' }
  if (absent.some((one) => isOfBinance(one) || isOfCreon(one))) return brokerLight(absent)
  return { state: 'starting', reason: `waiting for: ${[...new Set(absent)].join(', ')}` }
}

/** It is on its way: nobody has to do anything. */
const CONNECTING = 'SESSION_CONNECTING'

/** Of a stream whose service answers, and has lost the venue itself. */
const AT_VENUE = /, at the venue$|^binance (order|market) stream/
const SERVICE = /^\w+-service\b/
/** Of its collector, which waits for the service and for the venue alike. */
const COLLECTOR = /^\w+-service market data$/
const ORDERS = [/^order-execution (\S+)$/, /^\w+-service (\S+)$/, /, orders ([^\s,]+)/, /^binance order stream (\S+)$/]

function brokerLight(absent: readonly string[]): Omit<ServiceLight, 'name'> {
  const waiting = whoWaits(absent)
  const isApart = absent.some((one) => AT_VENUE.test(one))
  if (!isSilent(absent) && !isApart) {
    return { state: 'starting', reason: `it answers; what was missed is being caught up with: ${waiting}` }
  }
  const why = isSilent(absent) ? 'it does not answer' : 'it has no connection to its broker'
  return { state: 'degraded', reason: waiting === '' ? why : `${why}; waiting for it: ${waiting}` }
}

function isSilent(absent: readonly string[]): boolean {
  return absent.some((one) => SERVICE.test(one) && !AT_VENUE.test(one) && !COLLECTOR.test(one))
}

function whoWaits(absent: readonly string[]): string {
  return [...new Set(absent.flatMap((one) => whatWaits(one) ?? []))].sort().join(', ')
}

/** In a person's words; undefined for the service itself. */
function whatWaits(participant: string): string | undefined {
  if (/\bmarket[ -](data|stream)\b/.test(participant)) return 'market data'
  const account = ORDERS.flatMap((of) => of.exec(participant)?.[1] ?? [])[0]
  return account === undefined ? undefined : `orders of ${account}`
}
