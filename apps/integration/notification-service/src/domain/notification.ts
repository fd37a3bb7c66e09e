/** Which events a person wants to hear of, and how urgently. */
import type { BusEvent } from '@jts/contracts'
import { WORDS, type Language } from './words/index.ts'
import type { Said, ToldType } from './words/words.ts'

export type Severity = 'info' | 'warning' | 'critical'

export type Notification = Said & {
  readonly id: string
  readonly severity: Severity
  readonly account: string
  readonly correlationId: string
  readonly timeUs: number
}

type Told = Extract<BusEvent, { type: ToldType }>

/** Undefined for what nobody is told of. */
function severityOf(event: BusEvent): Severity | undefined {
  switch (event.type) {
    case 'OrderFilled':
    case 'BalanceAdjusted':
    case 'SignalWaiting':
      return 'info'
    case 'OrderRejected':
    case 'OrderDenied':
    case 'SignalExpired':
    case 'RiskAlert':
      return 'warning'
    case 'OrderUnknown':
    case 'OrderFoundLate':
    case 'LogStopped':
      return 'critical'
    case 'OrderExpired':
      // What the venue has lost, a person looks for there.
      return event.payload.reasonCode === 'NOT_FOUND' ? 'critical' : 'warning'
    case 'ForeignFill':
    case 'ForeignOrderFound':
      return event.payload.handling === 'ignore' ? undefined : 'warning'
    case 'TradingStateChanged':
      return event.payload.state === 'active' ? 'info' : 'critical'
    case 'ServiceHealth':
      return event.payload.state === 'up' ? 'info' : 'critical'
    default:
      return undefined
  }
}

export function notificationOf(event: BusEvent, language: Language): Notification | undefined {
  const severity = severityOf(event)
  if (severity === undefined) return undefined
  return {
    severity,
    ...wordsOf(event as Told, language),
    id: event.eventId,
    account: event.account ?? '',
    correlationId: event.correlationId,
    timeUs: event.timeEventUs,
  }
}

/** For the log, which is English everywhere. */
export function logWordsOf(event: BusEvent): string {
  const { title, text } = wordsOf(event as Told, 'en')
  return `${title}: ${text}`
}

function wordsOf(event: Told, language: Language): Said {
  const say = WORDS[language][event.type] as (payload: Told['payload']) => Said
  return say(event.payload)
}
