/** Binance as a process of its own: one market data port and one broker port an account, behind the Broker API. */
import { BrokerGuard } from '@jts/broker-kit'
import { startBrokerServer, type ApiKey, type BrokerServer, type StreamLimits } from '@jts/broker-kit/server'
import type { AccountId } from '@jts/model'
import type { Activity, Logger, WallClock } from '@jts/runtime'
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
}

/** The venue may be away at the start: the service answers from the first moment, and says so. */
export async function startBinanceService(options: BinanceServiceOptions): Promise<BrokerServer> {
  const { endpoints, accounts, wallClock, activity, log, marketClock } = options
  const common = { endpoints, wallClock, log, ...(activity === undefined ? {} : { activity }) }
  const market = createBinanceMarketData(common)
  const brokers = accounts.map(({ account, credentials, instruments = [] }) => {
    const clock = marketClock === undefined ? {} : { marketClock }
    return { account, instruments, broker: createBinanceBroker({ ...common, ...clock, account, credentials }) }
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
    onChange: ({ state, reason }) => log.warn({ state, reason }, 'the breaker of binance has changed'),
  })
  const server = await startBrokerServer({
    service: 'binance-service',
    version: '0.1.0',
    market: guard.guardMarket(market),
    accounts: brokers.map(({ broker, ...rest }) => ({ ...rest, broker: guard.guardBroker(broker) })),
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
