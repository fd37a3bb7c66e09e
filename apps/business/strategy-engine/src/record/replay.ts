/**
 * Runs an instance once more in the recorded order of its inputs, through the strategy's own code, and holds what it does against
 * what was recorded: each signal, each cancel, and the state wherever it was written.
 */
import { fillOfEvent, type BusEvent, type Payload } from '@jts/contracts'
import { refusal, strategySignal } from '../domain/signal.ts'
import { Instance, type StrategyInstance } from '../instance.ts'
import { marketInputOf } from '../market-input.ts'
import type { Entry, EventEntry, OrderEntry, Place } from './entry.ts'
import { hashOfState, type Line } from './line.ts'
import type { Segment } from './segments.ts'
import { firstOtherPath } from './state-difference.ts'

export type ReplayDifference = {
  /** The event on which it shows. */
  readonly at: string
  readonly recorded: string
  readonly replayed: string
}

export type Replayed = {
  readonly inputs: number
  readonly signals: number
  /** The first of the state and the first of the signals; what follows from them is not told. */
  readonly differences: readonly ReplayDifference[]
}

export type RecordedSignal = Pick<
  Payload<'StrategySignal'>,
  'side' | 'orderType' | 'timeInForce' | 'quantity' | 'quoteQuantity' | 'limitPrice' | 'price'
> & { readonly signalId: string }

export type ReplayOptions = {
  readonly config: StrategyInstance
  readonly segment: Segment
  /** The event that lies there. @throws Error when it is nowhere */
  readonly eventAt: (place: Place) => Promise<BusEvent>
  /** Every signal that the instance has made, by the event that caused it. */
  readonly recorded: { get(eventId: string): readonly RecordedSignal[] }
}

const NOTHING = 'nothing'

/** @throws whatever `eventAt` throws: what follows a gap would be a number that is not true */
export async function replaySegment(options: ReplayOptions): Promise<Replayed> {
  const { segment } = options
  const replay = new Replay(options)
  if (!replay.begin()) return replay.result()
  for (const line of segment.lines) {
    for (const entry of line.entries) if (!(await replay.take(entry))) return replay.result()
    if (!replay.endLine(line, line === segment.lines.at(-1) ? segment.end : undefined)) return replay.result()
  }
  for (const entry of segment.tail) if (!(await replay.take(entry))) return replay.result()
  replay.endCancels()
  return replay.result()
}

class Replay {
  readonly #options: ReplayOptions
  readonly #instance: Instance
  #at = 'the beginning'
  #inputs = 0
  #signals = 0
  /** Orders that it wants cancelled on the event before, and that the record has not named yet. */
  #cancels: number[] = []
  #stateDifference: ReplayDifference | undefined
  #difference: ReplayDifference | undefined

  constructor(options: ReplayOptions) {
    this.#options = options
    this.#instance = new Instance(options.config)
  }

  result(): Replayed {
    const differences = [this.#stateDifference, this.#difference].filter((one) => one !== undefined)
    return { inputs: this.#inputs, signals: this.#signals, differences }
  }

  /** False when this strategy cannot go on from what was recorded. */
  begin(): boolean {
    const { snapshot } = this.#options.segment
    return this.#endsWell('a state that it goes on from', () => this.#instance.restore(snapshot))
  }

  /** False when what follows is of another history. */
  async take(entry: Entry): Promise<boolean> {
    if (entry.kind === 'cancel') return this.#takeCancel(entry.order)
    if ('place' in entry) return this.endCancels() && this.#takeEvent(entry, await this.#options.eventAt(entry.place))
    this.#takeOrder(entry)
    this.#inputs++
    return true
  }

  /** False when it wanted something cancelled of which the record knows nothing. */
  endCancels(): boolean {
    const [order] = this.#cancels
    return order === undefined || this.#differs(NOTHING, `a cancel of its order ${order}`)
  }

  endLine({ hash, signals }: Line, whole: string | undefined): boolean {
    if (!this.endCancels()) return false
    const made = this.#options.segment.signals + this.#signals
    if (made !== signals) {
      return this.#differs(`${signals} signals since its first start`, `${made} signals`)
    }
    const state = this.#instance.toText()
    const isEqual = whole === undefined ? hashOfState(state) === hash : state === whole
    if (isEqual || this.#stateDifference !== undefined) return true
    const other = whole === undefined ? undefined : firstOtherPath(whole, state)
    this.#stateDifference = {
      at: this.#at,
      recorded: other === undefined ? `a state with hash ${hash}` : `${other.path} = ${other.a}`,
      replayed: other === undefined ? state : `${other.path} = ${other.b}`,
    }
    return true
  }

  #takeOrder({ kind, order }: OrderEntry): void {
    const { runner } = this.#instance
    if (kind === 'closed') runner.onOrderClosed(order)
    else if (kind === 'unknown') runner.onOrderUnknown(order)
    else runner.onOrderKnown(order)
  }

  #takeCancel(order: number): boolean {
    const wanted = this.#cancels.shift()
    const text = (number: number | undefined): string =>
      number === undefined ? NOTHING : `a cancel of its order ${number}`
    return wanted === order || this.#differs(text(order), text(wanted))
  }

  #takeEvent(entry: EventEntry, event: BusEvent): boolean {
    this.#at = event.eventId
    this.#inputs++
    const instance = this.#instance
    if (entry.kind === 'market') {
      const input = marketInputOf(event, this.#options.config)
      if (input === undefined) return this.#differs(`an event of its market`, `${event.type} of ${event.stream}`)
      if (!this.#endsWell('that it ends well', () => instance.feed(input))) return false
    } else {
      if (event.type !== 'OrderFilled') return this.#differs('OrderFilled', event.type)
      const fill = fillOfEvent(event)
      if (entry.kind === 'booked') instance.bookFill(entry.order, fill)
      else if (!this.#endsWell('that it ends well', () => instance.fill(entry.order, fill))) return false
    }
    return this.#compareSignals(event)
  }

  #compareSignals(event: BusEvent): boolean {
    const { runner } = this.#instance
    const recorded = new Map(
      this.#options.recorded.get(event.eventId).map((signal) => [signal.signalId, wordsOf(signal)]),
    )
    this.#cancels = []
    for (let n = 0; n < runner.intentCount; n++) {
      const intent = runner.intents[n]!
      if (intent.kind === 'cancel') {
        this.#cancels.push(intent.order)
        continue
      }
      const made = this.#instance.signalOf(intent, n, event, this.#options.segment.runId)
      const [known, replayed] = [
        recorded.get(made.signalId) ?? NOTHING,
        wordsOf(strategySignal(made, refusal(made, '', ''))),
      ]
      if (replayed !== known) return this.#differs(known, replayed)
      recorded.delete(made.signalId)
      this.#signals++
    }
    const [left] = recorded.values()
    return left === undefined || this.#differs(left, NOTHING)
  }

  #endsWell(expected: string, work: () => void): boolean {
    try {
      work()
      return true
    } catch (error) {
      // What a strategy throws need not be an error.
      return this.#differs(expected, error instanceof Error ? error.message : String(error))
    }
  }

  #differs(recorded: string, replayed: string): false {
    this.#difference ??= { at: this.#at, recorded, replayed }
    return false
  }
}

function wordsOf(signal: RecordedSignal): string {
  const { side, quantity, quoteQuantity, orderType, timeInForce, limitPrice, price, signalId } = signal
  const size = quantity === '' ? `${quoteQuantity} in quote` : quantity
  const limit = limitPrice === '' ? '' : ` at ${limitPrice}`
  return `${side} ${size} ${orderType}${limit} ${timeInForce}, price ${price} (signal ${signalId})`
}
