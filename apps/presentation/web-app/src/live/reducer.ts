/** What the screen knows, folded from the live stream. Pure: the same messages give the same state. */
import type {
  DecisionView,
  FillView,
  OrderView,
  PortfolioView,
  SnapshotView,
  StatusView,
  StreamMessage,
} from '../views.ts'

export type Connection = 'connecting' | 'live' | 'lost'

export type LiveState = {
  readonly connection: Connection
  /** Wall time of the last word from the gateway, in ms; what is shown is as of then. */
  readonly heardAtMs: number | undefined
  readonly status: StatusView | undefined
  readonly portfolio: PortfolioView | undefined
  readonly orders: readonly OrderView[]
  readonly fills: readonly FillView[]
  readonly decisions: readonly DecisionView[]
  readonly marketTimeUs: number
}

export type LiveEvent =
  | { readonly type: 'heard'; readonly message: StreamMessage; readonly atMs: number }
  | { readonly type: 'lost' }
  /** The snapshot asked for by REST, for the moment before the stream speaks; a snapshot of the stream is newer. */
  | { readonly type: 'loaded'; readonly snapshot: SnapshotView; readonly atMs: number }

export const ROWS_MAX = 200

export const INITIAL: LiveState = {
  connection: 'connecting',
  heardAtMs: undefined,
  status: undefined,
  portfolio: undefined,
  orders: [],
  fills: [],
  decisions: [],
  marketTimeUs: 0,
}

export function reduce(state: LiveState, event: LiveEvent): LiveState {
  switch (event.type) {
    case 'lost':
      return state.connection === 'lost' ? state : { ...state, connection: 'lost' }
    case 'loaded':
      return state.status === undefined ? { ...withSnapshot(state, event.snapshot), heardAtMs: event.atMs } : state
    case 'heard':
      return { ...withMessage(state, event.message), heardAtMs: event.atMs }
  }
}

function withMessage(state: LiveState, message: StreamMessage): LiveState {
  switch (message.type) {
    case 'snapshot':
      return { ...withSnapshot(state, message.data), connection: 'live' }
    case 'status':
      return at(message.data.marketTimeUs, { ...state, status: message.data })
    case 'collections':
      return state.status === undefined ? state : { ...state, status: { ...state.status, collections: message.data } }
    case 'portfolio':
      return { ...state, portfolio: message.data }
    case 'order':
      return at(message.data.timeUs, { ...state, orders: upsert(state.orders, message.data, 'orderId') })
    case 'fill':
      return at(message.data.timeUs, { ...state, fills: upsert(state.fills, message.data, 'fillId') })
    case 'decision':
      return at(message.data.timeUs, { ...state, decisions: upsert(state.decisions, message.data, 'signalId') })
    case 'candle':
      return at(message.data.openTimeUs, state)
    case 'resync':
    case 'heartbeat':
      return state
  }
}

/** A snapshot replaces everything, market time included: a restarted replay begins again. */
function withSnapshot(state: LiveState, { status, portfolio, orders, fills, decisions }: SnapshotView): LiveState {
  return { ...state, status, portfolio, orders, fills, decisions, marketTimeUs: status.marketTimeUs }
}

function at(timeUs: number, state: LiveState): LiveState {
  return timeUs > state.marketTimeUs ? { ...state, marketTimeUs: timeUs } : state
}

/** Newest first. What is known changes in its place; what is new comes on top. */
function upsert<T, K extends keyof T>(rows: readonly T[], row: T, id: K): readonly T[] {
  const index = rows.findIndex((known) => known[id] === row[id])
  return index === -1 ? [row, ...rows.slice(0, ROWS_MAX - 1)] : rows.with(index, row)
}
