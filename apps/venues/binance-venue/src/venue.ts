/** All parts of the running venue, made from the configuration; what the endpoints and the streams work on. */
import { mkdirSync } from 'node:fs'
import { shippedInstrument } from '@jts/model/instruments'
import { Exchange, Faults, Generator, Replay, Store, type Market, type RecordedMarket } from '@jts/exchange'
import { Activity } from './activity.ts'
import type { VenueConfig } from './config.ts'
import { Connections } from './connections.ts'
import { ORDERS_MAX } from './filters.ts'
import { loadKeys, type AccountKeys, type Keys } from './keys.ts'
import { Limits } from './limits.ts'
import { MarketClock } from './market-clock.ts'
import { UserStream } from './user-stream.ts'

export type Venue = {
  readonly config: VenueConfig
  readonly keys: Keys
  readonly accounts: readonly AccountKeys[]
  readonly controlToken: string
  readonly store: Store
  readonly exchange: Exchange
  readonly market: Market
  /** One of the two. */
  readonly replay: Replay | undefined
  readonly generator: Generator | undefined
  readonly clock: MarketClock
  readonly limits: Limits
  readonly activity: Activity
  readonly connections: Connections
  readonly userStream: UserStream
}

/** @throws Error when the data directory belongs to another run. */
export function createVenue(config: VenueConfig, recorded: readonly RecordedMarket[]): Venue {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  const keys = loadKeys(config.dataDir, config.accountNames, config.keys)
  const store = new Store(config.dataDir)
  const faults = keepFaults(store, config)
  const { position, timeUs } = store.position()
  const replay = recorded.length > 0 ? new Replay(recorded, position) : undefined
  const clock = new MarketClock(replay, config.speed ?? 1, timeUs)
  const symbols = replay ? replay.tracks.map(({ recorded: { instrument } }) => instrument) : config.symbols
  const instruments = symbols.map((symbol) => shippedInstrument(symbol.includes(':') ? symbol : `BINANCE:${symbol}`))
  const generator = replay
    ? undefined
    : new Generator(
        instruments.map(({ symbol }) => symbol),
        config.seed,
        clock.nowUs(),
      )
  keepIdentity(store, replay ? `replay ${replay.inputsSha256}` : `generator ${config.seed} ${symbols.join(',')}`)
  const exchange = new Exchange({
    store,
    instruments,
    accounts: config.accountNames.length,
    deposits: [...new Set(instruments.map(({ quoteCurrency }) => quoteCurrency))].map((asset) => ({
      asset,
      amount: config.balance,
    })),
    feeRate: config.fee,
    slippageBps: config.slippageBps,
    ordersMax: ORDERS_MAX,
    faults,
    execution: replay ? 'next-event' : 'at-once',
  })
  for (const { symbol } of instruments) {
    const last = replay ? replay.lastPrice(symbol) : generator!.price(symbol, generator!.quarter)
    const openedAt = replay?.tracks.find((track) => track.symbol === symbol)?.openedAt ?? 0
    exchange.resume(symbol, last ?? NaN, openedAt)
  }
  exchange.position = replay?.position ?? 0
  exchange.timeUs = clock.nowUs()
  exchange.commit()
  const activity = new Activity()
  const connections = new Connections(faults.disconnectEvery)
  return {
    config,
    keys,
    accounts: withEnvironmentKey(keys.accounts),
    controlToken: config.controlToken ?? keys.controlToken,
    store,
    exchange,
    market: replay ?? generator!,
    replay,
    generator,
    clock,
    limits: new Limits(() => clock.nowUs()),
    activity,
    connections,
    userStream: new UserStream(connections, faults, activity),
  }
}

/** A restart without faults of its own keeps those it had. */
function keepFaults(store: Store, config: VenueConfig): Faults {
  const stored = store.meta('faults')
  const texts = config.faults.length > 0 ? config.faults : stored === undefined ? [] : (JSON.parse(stored) as string[])
  const faults = new Faults(texts)
  store.transaction(true, () => store.putMeta('faults', JSON.stringify(texts)))
  return faults
}

function keepIdentity(store: Store, identity: string): void {
  const stored = store.meta('identity') ?? identity
  if (stored !== identity) throw new Error(`the data directory belongs to another run: ${stored}, expected ${identity}`)
  store.transaction(true, () => store.putMeta('identity', identity))
}

function withEnvironmentKey(accounts: readonly AccountKeys[]): readonly AccountKeys[] {
  const apiKey = process.env['JTS_BINANCE_API_KEY']
  const apiSecret = process.env['JTS_BINANCE_API_SECRET']
  if (!apiKey || !apiSecret) return accounts
  return accounts.map((account, index) => (index === 0 ? { ...account, apiKey, apiSecret } : account))
}
