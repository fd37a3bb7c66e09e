/** One Binance Spot account behind the broker port. */
import {
  messageOf,
  type BrokerListener,
  type BrokerPort,
  type Capabilities,
  type QueryOutcome,
  type StreamTimings,
} from '@jts/broker-kit'
import { parseUnits, TIMEFRAMES, type AccountId } from '@jts/model'
import type { Activity, Logger, WallClock } from '@jts/runtime'
import type { SharedBudget } from '@jts/transport/cache/port'
import { tracked } from './activity.ts'
import { Signer, type Credentials, type Param } from './adapters/auth.ts'
import { CODE } from './adapters/errors.ts'
import { BinanceHttp, type Call } from './adapters/http.ts'
import { BINANCE_LIMITS, WEIGHT, type Limits } from './adapters/limits.ts'
import * as messages from './adapters/messages.ts'
import { rateLimiterOf } from './adapters/shared-rate-budget.ts'
import { toSymbol } from './adapters/symbols.ts'
import { tradeIdAfter } from './adapters/trade-ids.ts'
import { toFill, toQueried } from './adapters/translate.ts'
import { checkMode, type BinanceEndpoints } from './config.ts'
import { openOrderStream } from './order-stream.ts'
import { createTrading, named, type OrderName } from './trading.ts'
import { VenueClock } from './venue-clock.ts'

export const CAPABILITIES: Capabilities = {
  broker: 'binance',
  orderTypes: ['market', 'limit', 'limit_maker'],
  timeInForce: ['gtc', 'ioc', 'fok'],
  marketBuySizes: ['base', 'quote'],
  marketSellSizes: ['base', 'quote'],
  clientOrderIds: 'unique-while-open',
  amend: false,
  streams: ['candles', 'trades', 'orders'],
  absenceProof: 'receive-window',
  timeframes: Object.keys(TIMEFRAMES),
  trades: true,
  quotes: true,
  orderBook: true,
  positions: false,
  adjustments: true,
  fills: { idSource: 'venue', feeSource: 'venue' },
  limits: BINANCE_LIMITS.windows.map(({ counts, limit, lengthUs, header }) => ({
    name: header,
    counts,
    limit,
    windowUs: lengthUs,
    date: BINANCE_LIMITS.date,
  })),
}

const MY_TRADES_LIMIT = 1000

export type BinanceBrokerOptions = {
  readonly account: AccountId
  readonly endpoints: BinanceEndpoints
  readonly credentials: Credentials
  readonly wallClock: WallClock
  readonly activity?: Activity
  readonly log: Logger
  readonly limits?: Limits
  /** In a replay: orders are counted by its time, as the venue counts them. */
  readonly marketClock?: { nowUs(): number }
  /** The venue's limits as all who use them count them; without it we learn of the others by the venue's headers. */
  readonly shared?: SharedBudget | undefined
  readonly timeoutMs?: number
  /** How long a question may wait for room in the rate budget; more than a minute where nothing is said. */
  readonly questionWaitMs?: number
  readonly streamTimings?: Partial<StreamTimings>
  readonly random?: () => number
}

export type BinanceBroker = BrokerPort & {
  start(): Promise<void>
  stop(): Promise<void>
}

/** @throws BrokerError when the account's mode does not fit the endpoints. */
export function createBinanceBroker(options: BinanceBrokerOptions): BinanceBroker {
  const { account, endpoints, wallClock: clock, activity, log, timeoutMs, questionWaitMs } = options
  checkMode(account, endpoints)
  const venueClock = new VenueClock(clock)
  const signer = new Signer(options.credentials)
  const nowUs = (): number => venueClock.nowUs()
  const { marketClock } = options
  const marketNowUs = marketClock && ((): number => marketClock.nowUs())
  const budget = rateLimiterOf({
    clock,
    nowUs,
    limits: options.limits ?? BINANCE_LIMITS,
    marketNowUs,
    shared: options.shared,
    name: endpoints.rest,
  })
  const waits = { ...(timeoutMs === undefined ? {} : { timeoutMs }), ...(questionWaitMs && { questionWaitMs }) }
  const http = new BinanceHttp({ origin: endpoints.rest, clock, venueClock, budget, log, signer, ...waits })
  const streams = new Set<{ stop(): Promise<void> }>()
  const trading = createTrading(http, nowUs)
  const during = <T>(work: () => Promise<T>): Promise<T> => tracked(activity, work)

  async function queryOrder(order: OrderName): Promise<QueryOutcome> {
    try {
      const outcome = await http.answer(question('/api/v3/order', WEIGHT.queryOrder, named(order)))
      if (outcome.kind === 'refused' && outcome.refusal.code === CODE.noSuchOrder) return { kind: 'not_found' }
      if (outcome.kind !== 'ok') return { kind: 'failed', message: outcome.message }
      const report = toQueried(messages.readQueriedOrder(outcome.body))
      // Looked up by this id, whatever id a later request gave the order.
      return { kind: 'found', report: { ...report, clientOrderId: order.clientOrderId } }
    } catch (error) {
      return { kind: 'failed', message: messageOf(error) }
    }
  }

  async function fills(query: Parameters<BrokerPort['fills']>[0]): ReturnType<BrokerPort['fills']> {
    const found: ReturnType<typeof toFill>[] = []
    let fromId = query.afterTradeId === undefined ? 0n : tradeIdAfter(query.afterTradeId)
    for (;;) {
      const params: Param[] = [
        ['symbol', toSymbol(query.instrument)],
        ['fromId', String(fromId)],
        ['limit', String(MY_TRADES_LIMIT)],
      ]
      const page = await http.ask(question('/api/v3/myTrades', WEIGHT.myTrades, params), (body) =>
        messages.readMyTrades(body).map(toFill),
      )
      found.push(...page)
      const last = page.at(-1)
      if (page.length < MY_TRADES_LIMIT || last === undefined) return found
      fromId = tradeIdAfter(last.tradeId)
    }
  }

  return {
    capabilities: CAPABILITIES,
    placeOrder: (intent, beforeWrite) => during(() => trading.placeOrder(intent, beforeWrite)),
    cancelOrder: (order, beforeWrite) => during(() => trading.cancelOrder(order, beforeWrite)),
    queryOrder: (order) => during(() => queryOrder(order)),
    fills: (query) => during(() => fills(query)),
    openOrders: (instrument) =>
      during(async () => {
        const params: Param[] = instrument === undefined ? [] : [['symbol', toSymbol(instrument)]]
        const weight = instrument === undefined ? WEIGHT.openOrdersOfAll : WEIGHT.openOrdersOfSymbol
        const call = question('/api/v3/openOrders', weight, params)
        return http.ask(call, (body) => messages.readOpenOrders(body).map(toQueried))
      }),
    balances: () =>
      during(() =>
        http.ask(question('/api/v3/account', WEIGHT.account, [['omitZeroBalances', 'true']]), (body) =>
          messages.readAccount(body).balances.map(({ asset, free, locked }) => ({
            currency: asset,
            free: parseUnits(free),
            locked: parseUnits(locked),
          })),
        ),
      ),
    subscribeOrders(listener: BrokerListener) {
      const alias = account.slice(account.lastIndexOf('.') + 1)
      const stream = openOrderStream(
        {
          url: endpoints.wsApi,
          participant: `binance order stream ${alias}`,
          signer,
          clock,
          venueClock,
          activity,
          log,
          timings: options.streamTimings,
          random: options.random,
          onClockRefused: () => void during(() => http.measureClock()).catch(() => undefined),
        },
        listener,
      )
      streams.add(stream)
      return stream
    },
    clockOffsetUs: () => venueClock.offsetUs(),
    venueTimeUs: () => during(() => http.serverTimeUs()),
    setGate: (state) => trading.setGate(state),
    state: () => ({ limits: budget.view() }),
    start: () => during(() => http.start(during)),
    async stop() {
      await Promise.all([...streams].map((stream) => stream.stop()))
      await http.stop()
    },
  }
}

function question(path: string, weight: number, params: readonly Param[]): Call {
  return { method: 'GET', path, params, weight, priority: 'reconcile', security: 'signed' }
}
