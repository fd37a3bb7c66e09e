/** The table of all endpoints, and what Binance has that this venue leaves out. */
import { account } from './account.ts'
import type { Endpoint } from './endpoint.ts'
import { marketData } from './market-data.ts'
import { trading } from './trading.ts'

const ENDPOINTS: readonly Endpoint[] = [...marketData, ...trading, ...account]
export const REST_ENDPOINTS = new Map(ENDPOINTS.map((endpoint) => [endpoint.rest, endpoint]))
export const SOCKET_ENDPOINTS = new Map(
  ENDPOINTS.flatMap((endpoint) => (endpoint.socket === undefined ? [] : [[endpoint.socket, endpoint] as const])),
)
export const REST_PATHS = new Set(ENDPOINTS.map(({ rest }) => rest.slice(rest.indexOf(' ') + 1)))

/** Pages of `/api/v3` that exist at Binance and not here: answered −1020, so that a client knows it is not its mistake. */
export const LEFT_OUT_PATHS = new Set(
  [
    'historicalBlockTrades',
    'executionRules',
    'referencePrice',
    'ticker',
    'ticker/tradingDay',
    'order/cancelReplace',
    'order/amend/keepPriority',
    'order/amendments',
    'order/oco',
    'orderList',
    'orderList/oco',
    'orderList/oto',
    'orderList/otoco',
    'orderList/opo',
    'orderList/opoco',
    'allOrderList',
    'openOrderList',
    'sor/order',
    'sor/order/test',
    'myPreventedMatches',
    'myAllocations',
    'myFilters',
  ].map((path) => `/api/v3/${path}`),
)
/** Switched off by Binance in February 2026. */
export const GONE_PATH = '/api/v3/userDataStream'

/** Methods of the WebSocket API that exist at Binance and not here. */
export const LEFT_OUT_METHODS =
  /^(order|orderList|openOrderLists|allOrderLists|sor|trades|ticker|my[A-Z]|referencePrice|executionRules)/
