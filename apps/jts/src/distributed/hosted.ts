/** A unit of a service as one process runs it: the very same objects as in the one process of the embedded mode. */
import { type BrokerPort } from '@jts/broker-kit'
import type { OrderExecutionApi, RiskManagementApi } from '@jts/contracts'
import { CollectionServiceService } from '@jts/contracts/collection-api'
import { OrderExecutionServiceService } from '@jts/contracts/orders-api'
import { PortfolioServiceService } from '@jts/contracts/portfolio-api'
import { RiskManagementServiceService, type RiskCheckRequest } from '@jts/contracts/risk-api'
import { StrategyServiceService } from '@jts/contracts/strategy-api'
import { accountBroker, type AccountId } from '@jts/model'
import type { BarHistory } from '@jts/strategy-engine'
import type { RpcService } from '@jts/transport'
import type { KafkaBus } from '@jts/transport/bus/kafka/bus'
import type { PostgresStore } from '@jts/transport/store/postgres'
import type { HaltTable } from '@jts/transport/store/halt-table'
import {
  createBroker,
  createCandleCollections,
  createCollector,
  createExecution,
  createMarkets,
  createNotifications,
  createPortfolio,
  createRisk,
  createStrategies,
  untilItStarts,
  type Plumbing,
  type RunSettings,
} from '../services.ts'
import { hostBinance, type BrokerHost } from './hosted-binance.ts'
import { HaltsTaken } from './halts-taken.ts'
import type { ServiceName } from './run-file.ts'

export type Hosted = {
  /** What answers for it, by the definition in `RPC_OF`. */
  readonly api: object
  reconcile?(account: AccountId): Promise<boolean>
  /** A broker service: where it answers the Broker API, empty until it does; and what it has sent to its readers. */
  httpUrl?(): string
  sent?(): Readonly<Record<string, number>>
  /** State, before the log is read. */
  restore(): Promise<void>
  /** The outside world, after it. */
  start(): Promise<void>
  stop(): Promise<void>
}

export type HostContext = {
  readonly settings: RunSettings
  readonly bus: KafkaBus
  readonly plumbing: Plumbing
  /** Halts that are written for the run's units. */
  readonly halts: HaltTable
  /** Risk, wherever it is. */
  readonly risk: Pick<RiskManagementApi, 'checkTradingRisk'>
  /** Past bars, from whoever collects them. */
  readonly history: BarHistory
  /** The unit's own store. */
  readonly owned: PostgresStore
  readonly brokerHost: BrokerHost
}

/** What each service answers over gRPC. */
export const RPC_OF: Readonly<Partial<Record<ServiceName, RpcService['definition']>>> = {
  'risk-management': RiskManagementServiceService,
  'portfolio-tracker': PortfolioServiceService,
  'strategy-engine': StrategyServiceService,
  'order-execution': OrderExecutionServiceService,
  'market-data-collector': CollectionServiceService,
}

/** Longest wait for an event that a question refers to. */
const CAUSE_MS = 2000

export const HOSTED: Readonly<Record<ServiceName, (context: HostContext) => Hosted>> = {
  'risk-management': ({ settings, bus, plumbing }) => {
    const risk = createRisk(settings, plumbing)
    return {
      // What a question was caused by is handled here first: an answer from an older state would be another answer.
      api: {
        checkTradingRisk: async (request: RiskCheckRequest) => {
          await bus.whenHandled(request.causationId, CAUSE_MS)
          return risk.api.checkTradingRisk(request)
        },
        streamTradingRiskChecks: (requests: AsyncIterable<RiskCheckRequest>) =>
          risk.api.streamTradingRiskChecks(caused(requests, bus)),
        calculatePositionSize: risk.api.calculatePositionSize.bind(risk.api),
      },
      restore: () => risk.start(),
      start: () => Promise.resolve(),
      stop: () => {
        risk.stop()
        return Promise.resolve()
      },
    }
  },

  'portfolio-tracker': ({ settings, plumbing }) => {
    const portfolio = createPortfolio(settings, plumbing)
    return {
      api: portfolio.api,
      restore: () => portfolio.start(),
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
    }
  },

  'strategy-engine': ({ settings, plumbing, risk, history }) => {
    const strategies = createStrategies(settings, plumbing, risk, { riskIsApart: true, history })
    return {
      api: strategies.api,
      restore: () => strategies.start(),
      start: () => {
        strategies.warmUp()
        return Promise.resolve()
      },
      stop: () => {
        strategies.stop()
        return Promise.resolve()
      },
    }
  },

  'order-execution': ({ settings, plumbing, halts }) => {
    const brokers = new Map(
      settings.accounts.map((one) => [one.account, createBroker(settings, plumbing, one)] as const),
    )
    const execution = createExecution(settings, plumbing, brokers as ReadonlyMap<AccountId, BrokerPort>)
    const { log, unit = '' } = plumbing
    const taken = new HaltsTaken({ halts, unit, orders: execution.api, log })
    let isStopped = false
    return {
      api: {
        listOrders: execution.api.listOrders.bind(execution.api),
        cancelOrder: execution.api.cancelOrder.bind(execution.api),
        halt: taken.halt.bind(taken),
        resume: taken.resume.bind(taken),
        resumeStrategy: taken.resumeStrategy.bind(taken),
        getTradingState: execution.api.getTradingState.bind(execution.api),
        adjustBalance: execution.api.adjustBalance.bind(execution.api),
      } satisfies OrderExecutionApi,
      reconcile: (account) => execution.reconcile(account),
      restore: () => execution.restore(),
      start: async () => {
        // What a person has said while nobody owned this unit holds before anything is sent.
        await taken.start()
        await execution.start({ except: () => true })
        // A broker service that is away keeps neither a halt nor another account waiting.
        for (const [account, broker] of brokers) {
          const participant = `${accountBroker(account)}-service ${account}`
          void untilItStarts(
            participant,
            () => broker.start(),
            plumbing,
            () => isStopped,
          )
            .then(() => taken.untilTaken())
            .then(() => {
              if (!isStopped) execution.startAccount(account)
            })
        }
      },
      stop: async () => {
        isStopped = true
        taken.stop()
        await execution.stop()
        for (const broker of brokers.values()) await broker.stop()
      },
    }
  },

  'binance-service': ({ settings, plumbing, owned, brokerHost }) => hostBinance(settings, plumbing, owned, brokerHost),

  'market-data-collector': ({ settings, plumbing }) => {
    const markets = createMarkets(settings, plumbing)
    const collector = createCollector(settings, plumbing, markets)
    const collections = createCandleCollections(settings, plumbing, markets)
    return {
      api: collections.api,
      restore: () => collector.restore(),
      start: async () => {
        await collector.start()
        if (!settings.replay) await collections.start()
      },
      stop: async () => {
        await collections.stop()
        await collector.stop()
      },
    }
  },

  'notification-service': ({ settings, plumbing }) => {
    const notifications = createNotifications(settings, plumbing)
    return {
      api: {},
      restore: () => notifications.start(),
      start: () => Promise.resolve(),
      stop: () => {
        notifications.stop()
        return Promise.resolve()
      },
    }
  },
}

/** Each question once its cause has been handled here. One that waits too long ends the stream, and is asked again. */
async function* caused(requests: AsyncIterable<RiskCheckRequest>, bus: KafkaBus): AsyncIterable<RiskCheckRequest> {
  for await (const request of requests) {
    await bus.whenHandled(request.causationId, CAUSE_MS)
    yield request
  }
}
