/** The one WebSocket: keeps itself connected, notices silence, and tells the screen a few times a second. */
import type { CandleView, SnapshotView, StreamMessage } from '../views.ts'
import { INITIAL, reduce, type LiveEvent, type LiveState } from './reducer.ts'

export type StoreTimings = {
  readonly notifyMs: number
  /** The gateway beats every five seconds; silence for longer means that the line is dead. */
  readonly silenceMs: number
  readonly retryMs: number
  readonly retryMaxMs: number
}

const TIMINGS: StoreTimings = { notifyMs: 50, silenceMs: 12_000, retryMs: 500, retryMaxMs: 5_000 }
const HEARD_MAX = 100

export class LiveStore {
  readonly #connect: () => WebSocket
  readonly #timings: StoreTimings
  readonly #listeners = new Set<() => void>()
  readonly #candleListeners = new Set<(candles: readonly CandleView[]) => void>()
  readonly #resyncListeners = new Set<() => void>()
  readonly #heard = new Map<string, CandleView[]>()
  #state: LiveState = INITIAL
  #shown: LiveState = INITIAL
  #candles: CandleView[] = []
  #socket: WebSocket | undefined
  #notify: ReturnType<typeof setTimeout> | undefined
  #silence: ReturnType<typeof setTimeout> | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #failures = 0
  #snapshots = 0

  constructor(connect: () => WebSocket, timings: Partial<StoreTimings> = {}) {
    this.#connect = connect
    this.#timings = { ...TIMINGS, ...timings }
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly getState = (): LiveState => this.#shown

  /** Candles come in batches, and beside the state: only the chart wants them. */
  onCandles(listener: (candles: readonly CandleView[]) => void): () => void {
    this.#candleListeners.add(listener)
    return () => this.#candleListeners.delete(listener)
  }

  /** Called when candles may have been missed, so that they are fetched again. */
  onResync(listener: () => void): () => void {
    this.#resyncListeners.add(listener)
    return () => this.#resyncListeners.delete(listener)
  }

  /** What the stream lately said of these candles; a fetch that was under way may not know it. */
  heardCandles(instrument: string, timeframe: string): readonly CandleView[] {
    return this.#heard.get(`${instrument} ${timeframe}`) ?? []
  }

  start(): void {
    const socket = this.#connect()
    this.#socket = socket
    this.#listenForSilence()
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#hear(JSON.parse(String(data)) as StreamMessage)
    }
    socket.onclose = () => {
      if (socket === this.#socket) this.#reconnect()
    }
  }

  stop(): void {
    const socket = this.#socket
    this.#socket = undefined
    clearTimeout(this.#notify)
    clearTimeout(this.#silence)
    clearTimeout(this.#retry)
    this.#notify = undefined
    socket?.close()
  }

  loaded(snapshot: SnapshotView): void {
    this.#apply({ type: 'loaded', snapshot, atMs: Date.now() })
  }

  #hear(message: StreamMessage): void {
    this.#failures = 0
    this.#listenForSilence()
    this.#apply({ type: 'heard', message, atMs: Date.now() })
    if (message.type === 'candle') this.#hearCandle(message.data)
    const isLaterSnapshot = message.type === 'snapshot' && this.#snapshots++ > 0
    if (isLaterSnapshot || message.type === 'resync') for (const listener of this.#resyncListeners) listener()
  }

  #hearCandle(candle: CandleView): void {
    this.#candles.push(candle)
    const name = `${candle.instrument} ${candle.timeframe}`
    const heard = this.#heard.get(name) ?? []
    if (heard.at(-1)?.openTimeUs === candle.openTimeUs) heard[heard.length - 1] = candle
    else heard.push(candle)
    if (heard.length > HEARD_MAX) heard.shift()
    this.#heard.set(name, heard)
  }

  #apply(event: LiveEvent): void {
    this.#state = reduce(this.#state, event)
    this.#notify ??= setTimeout(() => this.#tell(), this.#timings.notifyMs)
  }

  #tell(): void {
    this.#notify = undefined
    this.#shown = this.#state
    const candles = this.#candles
    this.#candles = []
    if (candles.length > 0) for (const listener of this.#candleListeners) listener(candles)
    for (const listener of this.#listeners) listener()
  }

  #listenForSilence(): void {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => this.#reconnect(), this.#timings.silenceMs)
  }

  #reconnect(): void {
    const socket = this.#socket
    this.#socket = undefined
    clearTimeout(this.#silence)
    clearTimeout(this.#retry)
    socket?.close()
    this.#heard.clear()
    this.#apply({ type: 'lost' })
    const delay = Math.min(this.#timings.retryMs * 2 ** this.#failures++, this.#timings.retryMaxMs)
    this.#retry = setTimeout(() => this.start(), delay)
  }
}
