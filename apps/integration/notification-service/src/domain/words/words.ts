/** What is said of each event that a person is told of. A language is one file that has all of them. */
import type { BusEventOf } from '@jts/contracts'
import { kstDateOf, kstSecondsOf } from '@jts/model'

export type ToldType =
  | 'OrderFilled'
  | 'OrderRejected'
  | 'OrderUnknown'
  | 'OrderFoundLate'
  | 'OrderExpired'
  | 'OrderDenied'
  | 'SignalExpired'
  | 'BalanceAdjusted'
  | 'ForeignFill'
  | 'ForeignOrderFound'
  | 'LogStopped'
  | 'TradingStateChanged'
  | 'SignalWaiting'
  | 'RiskAlert'
  | 'ServiceHealth'

export type Said = { readonly title: string; readonly text: string }

export type Words = { readonly [T in ToldType]: (payload: BusEventOf<T>['payload']) => Said }

/** Date and time of day in Seoul. */
export function kstText(timeUs: number): string {
  return `${kstDateOf(timeUs)} ${new Date(kstSecondsOf(timeUs) * 1000).toISOString().slice(11, 19)}`
}

/** An amount that went out has its sign before it. */
export function movement(amount: string): { readonly isOut: boolean; readonly size: string } {
  const isOut = amount.startsWith('-')
  return { isOut, size: isOut ? amount.slice(1) : amount }
}
