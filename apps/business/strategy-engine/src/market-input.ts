/** What of the market an instance is given: one place for the engine and for a replay of its record. */
import type { BusEvent } from '@jts/contracts'
import type { Bar, Instrument, Trade } from '@jts/model'

export type MarketInput =
  | { readonly kind: 'bar'; readonly timeUs: number; readonly bar: Bar }
  | { readonly kind: 'trade'; readonly timeUs: number; readonly trade: Trade }

/** Closed bars of the timeframe or, without one, each public trade. */
export type Wanted = { readonly instrument: Pick<Instrument, 'id'>; readonly timeframe?: string | undefined }

/** Undefined when the event is nothing for such an instance. */
export function marketInputOf(event: BusEvent, { instrument, timeframe }: Wanted): MarketInput | undefined {
  const { timeEventUs: timeUs } = event
  if (event.type === 'Candle') {
    const { payload } = event
    if (!payload.final || payload.instrument !== instrument.id || payload.timeframe !== timeframe) return undefined
    return { kind: 'bar', timeUs, bar: payload as unknown as Bar }
  }
  if (event.type !== 'PublicTrade' || timeframe !== undefined) return undefined
  return event.payload.instrument === instrument.id
    ? { kind: 'trade', timeUs, trade: event.payload as Trade }
    : undefined
}
