/** When risk is asked about a signal. */
import type { BusEvent } from '@jts/contracts'
import { KrxError, orderNotBeforeUs, type Instrument, type KrxSessions, type OrderKind } from '@jts/model'

export type Asking =
  | { readonly kind: 'at once' }
  | { readonly kind: 'later'; readonly notBeforeUs: number }
  /** Nobody knows when its market takes orders next. */
  | { readonly kind: 'never'; readonly reason: string }

/** `cause` is what the strategy has heard; only a bar can be one of a day that is over. */
export function decideAsking(
  cause: BusEvent,
  instrument: Pick<Instrument, 'sessions'>,
  order: OrderKind,
  sessions: KrxSessions,
): Asking {
  if (cause.type !== 'Candle') return { kind: 'at once' }
  try {
    const notBeforeUs = orderNotBeforeUs(cause.payload, instrument, order, sessions)
    return notBeforeUs === undefined ? { kind: 'at once' } : { kind: 'later', notBeforeUs }
  } catch (error) {
    if (error instanceof KrxError) return { kind: 'never', reason: error.message }
    throw error
  }
}
