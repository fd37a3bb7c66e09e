/** What a light shows while something waits: of a broker one sentence, in however many places it is waited for. */
import { breakerReason, openBreakers } from '../broker-guards.ts'
import type { ServiceLight } from '../system.ts'
import { isOfBinance } from './broker-services.ts'
import { isOfCreon } from './creon.ts'

export function waitingLight(absent: readonly string[]): Omit<ServiceLight, 'name'> {
  const [broker] = openBreakers(absent)
  if (broker !== undefined) return { state: 'down', reason: breakerReason(broker), breaker: 'open' }
  if (absent.length === 0) return { state: 'up' }
  const isOfBroker = absent.some((one) => isOfBinance(one) || isOfCreon(one))
  const reason = isOfBroker ? brokerReason(absent) : `waiting for: ${[...new Set(absent)].join(', ')}`
  return { state: 'starting', reason }
}

/** Of a stream whose service answers, and has lost the venue itself. */
const AT_VENUE = /, at the venue$|^binance (order|market) stream/
const SERVICE = /^\w+-service\b/
const ORDERS = [/^order-execution (\S+)$/, /^\w+-service (\S+)$/, /, orders ([^\s,]+)/, /^binance order stream (\S+)$/]

function brokerReason(absent: readonly string[]): string {
  const waiting = [...new Set(absent.flatMap((one) => whatWaits(one) ?? []))].sort().join(', ')
  const isSilent = absent.some((one) => SERVICE.test(one) && !AT_VENUE.test(one))
  const isApart = absent.some((one) => AT_VENUE.test(one))
  if (!isSilent && !isApart) return `it answers; what was missed is being caught up with: ${waiting}`
  const why = isSilent ? 'it does not answer' : 'it has no connection to its broker'
  return waiting === '' ? why : `${why}; waiting for it: ${waiting}`
}

/** In a person's words; undefined for the service itself. */
function whatWaits(participant: string): string | undefined {
  if (/\bmarket[ -](data|stream)\b/.test(participant)) return 'market data'
  const account = ORDERS.flatMap((of) => of.exec(participant)?.[1] ?? [])[0]
  return account === undefined ? undefined : `orders of ${account}`
}
