/**
 * What each broker supports, from its documentation (dates in `as of`): what a service may call «not supported», and nothing
 * else. A service states its own capabilities; the contract suite compares the two.
 */
import type { Capabilities } from './port.ts'

export type TableEntry = Pick<
  Capabilities,
  | 'orderTypes'
  | 'timeInForce'
  | 'marketBuySizes'
  | 'marketSellSizes'
  | 'clientOrderIds'
  | 'absenceProof'
  | 'amend'
  | 'streams'
> & {
  readonly asOf: string
  readonly trades: boolean
  readonly quotes: boolean
  readonly orderBook: boolean
  readonly positions: boolean
  readonly adjustments: boolean
  readonly routes: NonNullable<Capabilities['routes']>
  readonly fills: NonNullable<Capabilities['fills']>
  /** What the broker has and we leave out, and why. */
  readonly leftOut: Readonly<Record<string, string>>
}

const KRX = {
  orderTypes: ['market', 'limit'],
  timeInForce: ['day', 'ioc', 'fok'],
  marketBuySizes: ['base'],
  marketSellSizes: ['base'],
  clientOrderIds: 'none',
  absenceProof: 'none',
  amend: true,
  quotes: true,
  orderBook: true,
  positions: true,
  // Deposits, dividends and corporate actions show in the balances alone.
  adjustments: false,
  fills: { idSource: 'cumulative', feeSource: 'estimated' },
} as const

export const CAPABILITY_TABLE: Readonly<Record<string, TableEntry>> = {
  binance: {
    asOf: '2026-07-01',
    orderTypes: ['market', 'limit', 'limit_maker'],
    timeInForce: ['gtc', 'ioc', 'fok'],
    marketBuySizes: ['base', 'quote'],
    marketSellSizes: ['base', 'quote'],
    clientOrderIds: 'unique-while-open',
    absenceProof: 'receive-window',
    amend: false,
    streams: ['candles', 'trades', 'orders'],
    trades: true,
    quotes: true,
    orderBook: true,
    positions: false,
    adjustments: true,
    routes: [],
    fills: { idSource: 'venue', feeSource: 'venue' },
    leftOut: {
      amend: 'order/amend/keepPriority only lessens a quantity; a cancel and a new order do what a strategy means',
      quotes: 'bookTicker has no time of its own; nothing of ours listens to it yet',
    },
  },
  creon: {
    ...KRX,
    asOf: '2018 help file, board samples of 2026',
    streams: ['candles', 'quotes', 'orderBook', 'orders'],
    trades: false,
    routes: [],
    leftOut: { trades: 'ticks have no ids (StockCur), so that neither a list nor a stream of them could be joined' },
  },
  kis: {
    ...KRX,
    asOf: '2026-07',
    streams: ['trades', 'quotes', 'orderBook', 'orders'],
    trades: false,
    routes: ['KRX', 'NXT', 'SOR'],
    leftOut: { trades: 'the list of the last 30 trades has no ids', candles: 'no stream of bars: built from trades' },
  },
  upbit: {
    asOf: 'v1.6, 2026',
    orderTypes: ['market', 'limit', 'limit_maker'],
    timeInForce: ['gtc', 'ioc', 'fok'],
    // A market buy takes a total in the quote currency.
    marketBuySizes: ['quote'],
    marketSellSizes: ['base'],
    clientOrderIds: 'unique-for-ever',
    absenceProof: 'none',
    amend: true,
    streams: ['candles', 'trades', 'quotes', 'orderBook', 'orders'],
    trades: true,
    quotes: true,
    orderBook: true,
    positions: false,
    // myAsset tells what there is, not what came or went; the lists of deposits and withdrawals are not read.
    adjustments: false,
    routes: [],
    fills: { idSource: 'venue', feeSource: 'venue' },
    leftOut: {},
  },
}
