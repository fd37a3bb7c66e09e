/**
 * A running JTS as its surroundings see it (the summary, the comparison with the venue, the gateway): the same whether its
 * services share one process or not.
 */
import type { BrokerPort } from '@jts/broker-kit'
import type { CollectionApi, OrderExecutionApi, PortfolioApi, StrategyApi } from '@jts/contracts'
import { accountBroker, type AccountId } from '@jts/model'
import type { FillRow } from '@jts/order-execution/service'
import type { Bus, Stop } from '@jts/transport'
import { readingAgain, stopReason } from './log-stops.ts'
import { healthEvent, HealthWatch, watchHealth } from './health-watch.ts'
import { LatencyProbe } from './latency.ts'
import { restOf, type Rest } from './rest.ts'
import { CREON_LIGHT, isOfCreon } from './brokers/creon.ts'
import { waitingLight } from './brokers/waiting-light.ts'
import { wordOf, type BrokerWord } from './brokers/broker-word.ts'
import type { MarketData } from './brokers/joined.ts'
import type { ServiceLight } from './service-light.ts'
import type { Trader } from './trader.ts'

export type System = {
  readonly log: Pick<Bus, 'read' | 'tap'>
  readonly orders: OrderExecutionApi
  readonly portfolio: PortfolioApi
  readonly strategies: StrategyApi
  readonly collections: CollectionApi
  readonly brokers: ReadonlyMap<AccountId, BrokerPort>
  readonly marketData: Pick<MarketData, 'candles'>
  readonly rest: Rest
  marketTimeUs(): number
  lights(): readonly ServiceLight[]
  /** From now on the operator is told what stops working and what works again. Returns how to end it. */
  watchHealth(): () => void
  /** Bars and trades published since the first start. */
  counts(): Promise<{ readonly bars: number; readonly trades: number }>
  /** Every fill booked, in the order of each account and instrument. */
  fills(): Promise<readonly FillRow[]>
  /** Compares an account with its broker now. False when the account would not hold still. */
  reconcile(account: AccountId): Promise<boolean>
  /** What differed in the last comparison. */
  differences(account: AccountId): Promise<readonly { currency: string; ours: string; venue: string }[]>
  /** Real time from tick to wire, as far as it was measured. */
  latency(): Promise<ReturnType<LatencyProbe['view']>>
  /** Where the processes of this run are found by Prometheus, when each has metrics of its own. */
  readonly metricsUrl?: string | undefined
  /** Resolves when everything said so far is on disk. */
  durable(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

/** @param creonLight what Creon's own process says, where it is ours and not up */
export function systemOf(
  trader: Trader,
  probe = new LatencyProbe(),
  creonLight?: () => ServiceLight | undefined,
): System {
  const { execution, portfolio, collector, activity } = trader
  const hasCreon = [...trader.brokers.keys()].some((account) => accountBroker(account) === 'creon')
  const lights = (): ServiceLight[] => {
    const absent = activity.absentees()
    const own = lightsOf(
      absent.filter((one) => !isOfCreon(one)),
      trader.bus.stops(),
    )
    return hasCreon ? [...own, creonLight?.() ?? creonLightOf(absent, wordOf(activity, 'creon'))] : own
  }
  return {
    log: trader.bus,
    orders: readingAgain(execution.api, () => trader.bus.readAgain()),
    portfolio: portfolio.api,
    strategies: trader.strategies.api,
    collections: trader.collections.api,
    brokers: trader.brokers,
    marketData: trader.marketData,
    rest: restOf(trader),
    marketTimeUs: () => trader.marketClock.nowUs(),
    lights,
    watchHealth: () =>
      watchHealth(new HealthWatch(), lights, (change) => {
        const event = healthEvent(change, trader.marketClock.nowUs())
        trader.store.transact((turn) => turn.publish('system.health', event))
      }),
    counts: () => Promise.resolve({ bars: collector.barCount(), trades: collector.tradeCount() }),
    fills: () => execution.fills(),
    reconcile: (account) => execution.reconcile(account),
    differences: (account) => Promise.resolve(portfolio.differences(account)),
    latency: () => Promise.resolve(probe.view()),
    durable: () => trader.store.durable(),
    start: () => trader.start(),
    stop: () => trader.stop(),
  }
}

/** In one process the services live and die together; what may be missing by itself is what waits for the broker. */
export function lightsOf(absent: readonly string[], stops: readonly Stop[] = []): ServiceLight[] {
  const light = (name: string, participant: string = name): ServiceLight => {
    const stop = stops.find(({ reader }) => reader === name)
    if (stop !== undefined) return { name, state: 'down', reason: stopReason(stop) }
    return { name, ...waitingLight(absent.filter((one) => one.startsWith(participant))) }
  }
  return [
    light('strategy-engine'),
    light('risk-management'),
    light('portfolio-tracker'),
    light('order-execution'),
    light('market-data-collector'),
    light('notification-service'),
    light('binance-service', 'binance'),
  ]
}

/** Everything that waits for Creon is one light, and so is what its service says of itself. */
export function creonLightOf(absent: readonly string[], word?: BrokerWord): ServiceLight {
  return { name: CREON_LIGHT, ...waitingLight(absent.filter(isOfCreon), word) }
}
