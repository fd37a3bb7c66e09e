/** An order as the exchange keeps it. Amounts are bigint units of 1e-8, times are microseconds of the market clock. */
import type { Units } from '@jts/model/numbers'

export type Side = 'buy' | 'sell'
export type OrderKind = 'limit' | 'market' | 'post-only'
export type TimeInForce = 'gtc' | 'ioc' | 'fok'
/** Fills are whole, so an order is open, or has ended in one of three ways. */
export type OrderStatus = 'open' | 'filled' | 'cancelled' | 'expired'

export type OrderRequest = {
  readonly symbol: string
  /** Absent: the exchange makes one. */
  readonly clientId?: string
  readonly side: Side
  readonly kind: OrderKind
  readonly timeInForce: TimeInForce
  /** 0 for a market order. */
  readonly price: Units
  /** 0 when the order is sized in the quote currency. */
  readonly quantity: Units
  readonly quoteQuantity: Units
  /** Whatever the protocol wants to read back with the order; the core does not look into it. */
  readonly tag?: string
}

export type Order = {
  readonly account: number
  readonly id: number
  readonly symbol: string
  readonly clientId: string
  readonly side: Side
  readonly kind: OrderKind
  readonly timeInForce: TimeInForce
  readonly price: Units
  quantity: Units
  readonly quoteQuantity: Units
  status: OrderStatus
  executed: Units
  cumulativeQuote: Units
  /** What this order holds back: quote currency for a buy, base currency for a sell. */
  locked: Units
  /** Phases of a replay carried out before it: an order meets no range of the bar in which it was placed. */
  readonly placedAt: number
  readonly createdUs: number
  updatedUs: number
  readonly tag: string
}

export type Fill = {
  /** Public number of the trade, per instrument. */
  readonly id: number
  readonly account: number
  readonly orderId: number
  readonly symbol: string
  readonly side: Side
  readonly price: Units
  readonly quantity: Units
  readonly quote: Units
  readonly commission: Units
  readonly commissionAsset: string
  readonly maker: boolean
  readonly timeUs: number
}

export type Balance = { readonly asset: string; readonly free: Units; readonly locked: Units }

/** What a turn has done to one order, with the balances it may have changed. `order` is a copy of that moment. */
export type OrderEvent = {
  readonly what: 'accepted' | 'filled' | 'cancelled' | 'expired'
  readonly order: Readonly<Order>
  readonly fill?: Fill
  /** Number of this fill over all accounts, from 1. */
  readonly fillNumber?: number
  /** The client id of the cancel request. */
  readonly cancelId?: string
  readonly timeUs: number
  readonly executionId: number
  readonly balances: readonly Balance[]
}

export type Refusal =
  'insufficient-balance' | 'would-take' | 'duplicate-client-id' | 'too-many-orders' | 'unknown-order'
export type Refused = { readonly refused: Refusal }

export function isRefused(value: object): value is Refused {
  return 'refused' in value
}
