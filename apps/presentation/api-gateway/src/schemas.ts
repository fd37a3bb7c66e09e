/** What a request may carry. Unknown fields are refused: a misspelt `limit` should not pass silently. */
import { Type, type Static, type TObject, type TProperties } from '@sinclair/typebox'
import type { HaltState } from '@jts/contracts/gateway'
import { ADJUSTMENT_REASONS, type AdjustmentReason } from '@jts/model/adjustments'
import { TIMEFRAMES } from '@jts/model/bars'

function closed<T extends TProperties>(properties: T): TObject<T> {
  return Type.Object(properties, { additionalProperties: false })
}

const INSTRUMENT = Type.String({ pattern: '^[A-Z][A-Z0-9]*:[A-Z0-9][A-Z0-9._-]*$', maxLength: 64 })
const TIMEFRAME = Type.String({ enum: Object.keys(TIMEFRAMES) })
const limit = (standard: number, maximum: number) => Type.Integer({ minimum: 1, maximum, default: standard })

export const EmptyQuery = closed({})
export const CandlesQuery = closed({ instrument: INSTRUMENT, timeframe: TIMEFRAME, limit: limit(500, 5000) })
export const ListQuery = closed({ limit: limit(50, 500) })
export const FillsQuery = closed({ instrument: Type.Optional(INSTRUMENT), limit: limit(50, 1000) })
export const HaltBody = closed({
  reason: Type.Optional(Type.String({ maxLength: 500 })),
  state: Type.Optional(Type.Unsafe<HaltState>({ type: 'string', enum: ['halted', 'reducing'] })),
})
export const ResumeBody = closed({})
export const AccountParams = closed({
  account: Type.String({ pattern: '^(sim|paper|live)\\.[a-z][a-z0-9]*\\.[a-z0-9][a-z0-9_-]*$', maxLength: 128 }),
})
export const AdjustBody = closed({
  asset: Type.String({ pattern: '^[A-Z0-9]{1,16}$' }),
  amount: Type.String({ pattern: '^-?\\d{1,15}(\\.\\d{1,8})?$' }),
  reason: Type.Unsafe<AdjustmentReason>({ type: 'string', enum: [...ADJUSTMENT_REASONS] }),
  words: Type.String({ minLength: 1, maxLength: 500 }),
})
export const InstanceParams = closed({ instance: Type.String({ minLength: 1, maxLength: 200 }) })
const VENUE = Type.String({ pattern: '^[A-Z][A-Z0-9]*$', maxLength: 32 })
const DAY = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' })
export const CollectBody = closed({
  venue: Type.Optional(VENUE),
  instruments: Type.Optional(Type.Array(INSTRUMENT, { maxItems: 500 })),
  markets: Type.Optional(Type.Array(Type.String({ pattern: '^[A-Z0-9]+$', maxLength: 32 }), { maxItems: 16 })),
  timeframe: Type.Optional(TIMEFRAME),
  from: Type.Optional(DAY),
  to: Type.Optional(DAY),
})
export const VenueParams = closed({ venue: VENUE })

export type CandlesQuery = Static<typeof CandlesQuery>
export type ListQuery = Static<typeof ListQuery>
export type FillsQuery = Static<typeof FillsQuery>
export type InstanceParams = Static<typeof InstanceParams>
export type AccountParams = Static<typeof AccountParams>
export type AdjustBody = Static<typeof AdjustBody>
export type HaltBody = Static<typeof HaltBody>
export type CollectBody = Static<typeof CollectBody>
export type VenueParams = Static<typeof VenueParams>
