/**
 * Closed bars and public trades as they come, of any number of instruments.
 * https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#live-subscribingunsubscribing-to-streams
 */
import {
  LastingStream,
  messageOf,
  UnreadableFrame,
  type MarketListener,
  type MarketSubscription,
  type StreamOptions,
} from '@jts/broker-kit'
import type { InstrumentId } from '@jts/model'
import { parseJson, readKlineEvent, readTradeEvent } from './adapters/messages.ts'
import { toKlineStream, toTradeStream } from './adapters/symbols.ts'
import { toStreamedBar, toStreamedTrade } from './adapters/translate.ts'

type WireOptions = Omit<StreamOptions, 'onOpen' | 'onText' | 'onUp' | 'onDown'>
type Deliver = () => void
type Failure = { readonly code?: unknown; readonly msg?: unknown }
/** Refusals come bare or under `error`. */
type Frame = Failure & {
  readonly e?: unknown
  readonly id?: unknown
  readonly result?: unknown
  readonly error?: Failure
}

/** Streams on one connection, by the venue's rule; names in one SUBSCRIBE frame, so that few frames are needed. */
export const STREAMS_PER_CONNECTION = 1024
const STREAMS_PER_FRAME = 128

/** Up while every connection is up, so that «up» always means that nothing subscribed is missing. */
export function openMarketStream(
  options: WireOptions,
  subscriptions: readonly MarketSubscription[],
  listener: MarketListener,
): { stop(): Promise<void> } {
  const instruments = new Map(subscriptions.map((one) => [toStream(one), one.instrument]))
  const shards = chunk([...instruments], STREAMS_PER_CONNECTION)
  let upCount = 0
  const streams = shards.map((shard, index) =>
    openShard(
      shards.length === 1 ? options : { ...options, participant: `${options.participant}, connection ${index + 1}` },
      new Map(shard),
      {
        onBar: (bar) => listener.onBar(bar),
        onTrade: (trade) => listener.onTrade(trade),
        up() {
          upCount++
          if (upCount === shards.length) listener.onMarketStream('up', 'subscribed')
        },
        down(reason) {
          if (upCount === shards.length) listener.onMarketStream('down', reason)
          upCount--
        },
      },
    ),
  )
  return {
    async stop() {
      await Promise.all(streams.map((stream) => stream.stop()))
    },
  }
}

function toStream({ instrument, timeframe }: MarketSubscription): string {
  return timeframe === undefined ? toTradeStream(instrument) : toKlineStream(instrument, timeframe)
}

type ShardListener = Pick<MarketListener, 'onBar' | 'onTrade'> & { up(): void; down(reason: string): void }

function openShard(
  options: WireOptions,
  instruments: ReadonlyMap<string, InstrumentId>,
  listener: ShardListener,
): { stop(): Promise<void> } {
  let requestId = 0
  const open = new Set<number>()

  const stream: LastingStream = new LastingStream({
    ...options,
    onOpen() {
      open.clear()
      const frames = chunk([...instruments.keys()], STREAMS_PER_FRAME).map((params) => ({ params, id: ++requestId }))
      for (const { id } of frames) open.add(id)
      for (const { params, id } of frames) stream.send(JSON.stringify({ method: 'SUBSCRIBE', params, id }))
    },
    onText: (text) => readFrame(text)?.(),
    onUp: () => listener.up(),
    onDown: (reason) => listener.down(reason),
  })

  function readFrame(text: string): Deliver | undefined {
    try {
      const frame = parseJson('market stream', text) as Frame | null
      if (frame?.e === 'kline') return readBar(frame)
      if (frame?.e === 'trade') return readTrade(frame)
      if (frame?.e === 'serverShutdown') return () => stream.reconnect('serverShutdown')
      if (frame?.result === null && typeof frame.id === 'number') return readSubscribed(frame.id)
      if (frame?.code !== undefined || frame?.error !== undefined) {
        const { code, msg } = frame.error ?? frame
        return () => stream.reconnect(`subscription refused: ${code} ${msg}`)
      }
      return undefined
    } catch (error) {
      throw new UnreadableFrame(messageOf(error), { cause: error })
    }
  }

  function readBar(frame: unknown): Deliver | undefined {
    const event = readKlineEvent(frame)
    // Most frames are the bar as it grows; only the last of each is a fact.
    if (!event.k.x) return undefined
    const instrument = instruments.get(`${event.s.toLowerCase()}@kline_${event.k.i}`)
    if (instrument === undefined) return undefined
    const bar = toStreamedBar(instrument, event)
    return () => listener.onBar(bar)
  }

  function readTrade(frame: unknown): Deliver | undefined {
    const event = readTradeEvent(frame)
    const instrument = instruments.get(`${event.s.toLowerCase()}@trade`)
    if (instrument === undefined) return undefined
    const trade = toStreamedTrade(instrument, event)
    return () => listener.onTrade(trade)
  }

  function readSubscribed(id: number): Deliver | undefined {
    if (!open.delete(id) || open.size > 0) return undefined
    return () => stream.up()
  }

  stream.start()
  return { stop: () => stream.stop() }
}

function chunk<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))
}
