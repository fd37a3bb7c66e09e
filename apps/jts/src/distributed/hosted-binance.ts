/**
 * Binance's broker service as one unit of a run: one account, or the market data. It serves the Broker API on a port of its own.
 * What follows the account to another process (gate, lease, trading state) is a row of the unit; its journal and its memory of
 * nonces are this process's own: a request signed before a service has started is refused by it, so none needs another's memory.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startBinanceService } from '@jts/binance-service'
import { parseKeys, type AccountKeeping, type AccountRow, type BrokerServer } from '@jts/broker-kit/server'
import { fasterClock, noMetrics } from '@jts/runtime'
import { defineTable, type Store } from '@jts/transport'
import type { PostgresStore } from '@jts/transport/store/postgres'
import { HEARTBEAT_MS } from '../brokers/broker-services.ts'
import { MARKET_SILENCE_MS, type Plumbing, type RunSettings } from '../services.ts'
import { showBreaker, showRateBudgets } from '../observe.ts'
import type { Hosted } from './hosted.ts'

/** Where this process listens for callers of the Broker API, how they reach it, where its journals are, and its patience. */
export type BrokerHost = {
  readonly listen: string
  readonly reached: string
  readonly folder: string
  readonly key: { readonly id: string; readonly secret: string }
  readonly venueTimeoutMs?: number
}

const fences = defineTable(
  'broker_fences',
  {
    account: 'text',
    gate: 'text',
    gate_reason: 'text',
    lease_epoch: 'integer',
    trading_state_version: 'integer',
  },
  ['account'],
)

/** Its name among what the unit waits for, until it answers. */
const PARTICIPANT = 'binance-service'

export function hostBinance(settings: RunSettings, plumbing: Plumbing, owned: PostgresStore, host: BrokerHost): Hosted {
  const { activity, log, metrics = noMetrics, store, wallClock, marketClock, sharedBudget: shared, unit } = plumbing
  const { replay, speed, endpoints, instances } = settings
  let saved = new Map<string, AccountRow>()
  let serving: Promise<BrokerServer> | undefined
  let server: BrokerServer | undefined
  store.ensure([fences] as never[])
  showRateBudgets(metrics, settings.accounts[0]?.account ?? '', () => server?.health().limits ?? [])
  // The one between this service and the venue; those of its callers are theirs.
  showBreaker(metrics, `binance ${unit}`, () => (replay ? undefined : server?.health().breaker.state))
  const serve = (): Promise<BrokerServer> => {
    mkdirSync(host.folder, { recursive: true })
    return startBinanceService({
      endpoints,
      accounts: settings.accounts.map(({ account, apiKey, apiSecret }) => ({
        account,
        credentials: { apiKey, apiSecret },
        instruments: instances.filter((one) => one.account === account).map((one) => one.instrument.id),
        keeping: keepingOf(account, saved.get(account), store, owned),
      })),
      keys: parseKeys({ keys: [{ ...host.key, right: 'trade' }] }),
      journalFile: join(host.folder, `${unit}.sqlite`),
      host: host.listen,
      port: 0,
      wallClock,
      // An account hears no market of its own here, and its venue counts requests by market time.
      ...(replay ? { marketClock } : speed === undefined ? {} : { marketClock: fasterClock(wallClock, speed) }),
      activity,
      log: log.child({ service: PARTICIPANT }),
      shared,
      ...(replay ? {} : { marketTimings: { silenceMs: MARKET_SILENCE_MS } }),
      timeoutMs: host.venueTimeoutMs,
      hasBreaker: !replay,
      streamLimits: { heartbeatMs: HEARTBEAT_MS },
    })
  }
  return {
    api: {},
    httpUrl: () => (server === undefined ? '' : `http://${host.reached}:${new URL(server.url).port}`),
    sent: () => server?.sent() ?? {},
    async restore() {
      saved = new Map((await store.all(fences)).map((row) => [row.account, fromRow(row)]))
    },
    /** The venue may be silent: nobody waits for its answer to be told that. */
    start() {
      activity.absent(PARTICIPANT)
      serving = serve()
      serving.then(
        (started) => {
          server = started
          activity.present(PARTICIPANT)
        },
        (error: unknown) =>
          setImmediate(() => {
            throw error
          }),
      )
      return Promise.resolve()
    },
    async stop() {
      await (await serving?.catch(() => undefined))?.stop()
    },
  }
}

function keepingOf(account: string, saved: AccountRow | undefined, store: Store, owned: PostgresStore): AccountKeeping {
  return {
    saved,
    save(row) {
      store.transact((turn) => turn.put(fences, toRow(account, row)), 'durable')
      return store.durable()
    },
    confirm: () => owned.confirmLease(),
    isServed: () => owned.holdsLease,
  }
}

type FenceRow = NonNullable<(typeof fences)['row']>

function fromRow(row: FenceRow): AccountRow {
  const { gate, gate_reason: gateReason, lease_epoch: leaseEpoch, trading_state_version: tradingStateVersion } = row
  return { gate: gate as AccountRow['gate'], gateReason, leaseEpoch, tradingStateVersion }
}

function toRow(account: string, row: AccountRow): FenceRow {
  const { gate, gateReason, leaseEpoch, tradingStateVersion } = row
  return { account, gate, gate_reason: gateReason, lease_epoch: leaseEpoch, trading_state_version: tradingStateVersion }
}
