/** Binance as a process of its own: one market data port and one broker port an account, behind the Broker API. */
import { BrokerGuard, type StreamTimings } from '@jts/broker-kit'
import {
  startBrokerServer,
  type AccountKeeping,
  type ApiKey,
  type BrokerServer,
  type StreamLimits,
} from '@jts/broker-kit/server'
import type { AccountId } from '@jts/model'
import type { Activity, Logger, WallClock } from '@jts/runtime'
import type { SharedBudget } from '@jts/transport/cache/port'
import type { Credentials } from './adapters/auth.ts'
import { createBinanceBroker } from './broker.ts'
import type { BinanceEndpoints } from './config.ts'
import { createBinanceMarketData } from './market-data.ts'

export type BinanceServiceOptions = {
  readonly endpoints: BinanceEndpoints
  readonly accounts: readonly {
    readonly account: AccountId
    readonly credentials: Credentials
    readonly instruments?: readonly string[]
    /** Where several processes may serve the account, one after the other. */
    readonly keeping?: AccountKeeping
  }[]
  readonly keys: readonly ApiKey[]
  readonly journalFile: string | undefined
  readonly host?: string
  readonly port: number
  readonly wallClock: WallClock
  readonly marketClock?: { nowUs(): number }
  readonly activity?: Activity
  readonly log: Logger
  readonly streamLimits?: Partial<StreamLimits>
  /** The venue's limits as all who use them count them. */
  readonly shared?: SharedBudget | undefined
  /** Of the streams of market data at the venue. */
  readonly marketTimings?: Partial<StreamTimings>
  /** How long the venue may take over an answer about an account. */
  readonly timeoutMs?: number | undefined
  /** A replay waits for its venue by the conductor, however long; a breaker would only make two runs differ. */
  readonly hasBreaker?: boolean
}

/** The venue may be away at the start: the service answers from the first moment, and says so. */
export async function startBinanceService(options: BinanceServiceOptions): Promise<BrokerServer> {
  const {
    endpoints,
    accounts,
    wallClock,
    activity,
    log,
    marketClock,
    shared,
    marketTimings,
    timeoutMs,
    hasBreaker = true,
  } = options
  const common = { endpoints, wallClock, log, shared, ...(activity === undefined ? {} : { activity }) }
  const market = createBinanceMarketData({
    ...common,
    ...(marketTimings && { streamTimings: marketTimings }),
    ...(hasBreaker ? { questionWaitMs: MARKET_WAITS_MS } : {}),
  })
  const brokers = accounts.map(({ credentials, instruments = [], ...one }) => {
    const clock = marketClock === undefined ? {} : { marketClock }
    const waits = {
      ...(hasBreaker ? { questionWaitMs: QUESTION_WAIT_MS } : {}),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    }
    const broker = createBinanceBroker({ ...common, ...clock, ...waits, account: one.account, credentials })
    return { ...one, instruments, broker }
  })
  const starting = [market, ...brokers.map(({ broker }) => broker)]
  const again = new AbortController()
  await Promise.all(
    starting.map((port) =>
      port.start().catch((error: unknown) => {
        log.warn({ err: error }, 'binance does not answer yet; trying again')
        void untilStarted(port, wallClock, again.signal)
      }),
    ),
  )
  const guard = new BrokerGuard({
    broker: 'binance',
    clock: wallClock,
    onChange: ({ state, reason }) => {
      log.warn({ state, reason }, 'the breaker of binance has changed')
      if (state === 'closed') activity?.present(BREAKER)
      else activity?.absent(BREAKER)
    },
  })
  const server = await startBrokerServer({
    service: 'binance-service',
    version: '0.1.0',
    market: hasBreaker ? guard.guardMarket(market) : market,
    accounts: brokers.map(({ broker, ...rest }) => ({
      ...rest,
      broker: hasBreaker ? guard.guardBroker(broker) : broker,
    })),
    breaker: () => guard.view(),
    keys: options.keys,
    journalFile: options.journalFile,
    port: options.port,
    wallClock,
    log,
    ...(options.host === undefined ? {} : { host: options.host }),
    ...(activity === undefined ? {} : { activity }),
    ...(options.streamLimits === undefined ? {} : { streamLimits: options.streamLimits }),
  })
  return {
    ...server,
    async stop() {
      again.abort()
      await server.stop()
      await Promise.all(starting.map((port) => port.stop()))
    },
  }
}

const START_AGAIN_MS = 1000
/**
 * Shorter than whoever asks waits for an answer: it hears why, and asks again. A question that went on waiting here for the next
 * minute would then be put to the venue for nobody, and so would each of those asked in its place.
 */
const QUESTION_WAIT_MS = 4000
/** The same of market data: who asks for prices waits 5 s, who asks for lists and for the past waits 40 s, some of it for the answer. */
const MARKET_WAITS_MS = { short: 4000, long: 30_000 }
/** Its name among what the process waits for, while it is not closed. */
const BREAKER = 'binance breaker'

async function untilStarted(port: { start(): Promise<void> }, clock: WallClock, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    await new Promise<void>((resolve) => clock.after(START_AGAIN_MS, resolve))
    try {
      return await port.start()
    } catch {
      // Health says that the venue does not answer.
    }
  }
}
