/**
 * Which fills of an account are known, and up to where the venue's own list has been read per instrument. What one instrument's
 * ids say of their order depends on the venue: see the two kinds.
 */
import type { InstrumentId } from '@jts/model'

export interface FillCursor {
  has(instrument: InstrumentId, tradeId: string): boolean
  /** A fill has been booked. */
  remember(instrument: InstrumentId, tradeId: string): void
  /** Trades from before the first contact are not ours to book. */
  open(instrument: InstrumentId, trades: readonly { readonly tradeId: string }[]): void
  isOpened(instrument: InstrumentId): boolean
  /** The venue's list has been read and booked up to here. */
  advance(instrument: InstrumentId, tradeId: string): void
  query(instrument: InstrumentId): { afterTradeId?: string }
  /** Those that have been opened. */
  instruments(): Iterable<InstrumentId>
  toText(): string
  restore(text: string): void
}

/** `cumulative`: the venue gives fills no ids, and what stands for one says nothing about which came first. */
export function fillCursorFor(idSource: 'venue' | 'cumulative'): FillCursor {
  return idSource === 'venue' ? new RisingFillCursor() : new ListedFillCursor()
}

/** Trades of the venue's list that are read again each time: a later one may be shown before an earlier one. */
const READ_AGAIN = 100
/** Booked ids that are kept below those: what comes later than so many others cannot be told from one that was booked. */
const KEPT_BELOW = 1000

/** What is known of one instrument. */
type Rising = {
  /** False where a notice told of an instrument that nobody has asked about. */
  opened: boolean
  /** Ids up to here are known without a look: from before the first contact, or booked so long ago. */
  floor: bigint | null
  /** From where the list is read; `null`: from its beginning. */
  from: bigint | null
  /** The last ids that were read, in their order; `from` is right below them. */
  readonly read: bigint[]
  readonly booked: Set<bigint>
  pruneAt: number
}

/**
 * Trade ids rise per instrument; an account sees only some of them, and neither the list nor the notices show them in that
 * order. So nothing is known because a later one is: only what was booked.
 */
export class RisingFillCursor implements FillCursor {
  readonly #of = new Map<InstrumentId, Rising>()

  has(instrument: InstrumentId, tradeId: string): boolean {
    const known = this.#of.get(instrument)
    if (known === undefined) return false
    const id = BigInt(tradeId)
    return (known.floor !== null && id <= known.floor) || known.booked.has(id)
  }

  remember(instrument: InstrumentId, tradeId: string): void {
    const known = this.#known(instrument)
    const id = BigInt(tradeId)
    if (known.floor !== null && id <= known.floor) return
    known.booked.add(id)
    if (known.booked.size >= known.pruneAt) prune(known)
  }

  open(instrument: InstrumentId, trades: readonly { readonly tradeId: string }[]): void {
    const known = this.#known(instrument)
    const ids = trades.map(({ tradeId }) => BigInt(tradeId))
    known.floor = known.from = ids.length === 0 ? null : ids.reduce(larger)
    known.opened = true
  }

  isOpened(instrument: InstrumentId): boolean {
    return this.#of.get(instrument)?.opened ?? false
  }

  advance(instrument: InstrumentId, tradeId: string): void {
    const { read } = this.#known(instrument)
    const id = BigInt(tradeId)
    const at = read.findLastIndex((one) => one <= id)
    if (read[at] === id) return
    read.splice(at + 1, 0, id)
    if (read.length > READ_AGAIN) this.#known(instrument).from = read.shift()!
  }

  query(instrument: InstrumentId): { afterTradeId?: string } {
    const from = this.#of.get(instrument)?.from ?? null
    return from === null ? {} : { afterTradeId: String(from) }
  }

  instruments(): InstrumentId[] {
    return [...this.#of].filter(([, { opened }]) => opened).map(([instrument]) => instrument)
  }

  toText(): string {
    const opened = [...this.#of].filter(([, known]) => known.opened)
    const entries = opened.map(([id, { floor, from }]) => [id, { floor: textOf(floor), from: textOf(from) }])
    return JSON.stringify(Object.fromEntries(entries))
  }

  /** An earlier JTS wrote only up to where the list had been read, and took all below that for known. */
  restore(text: string): void {
    const rows = JSON.parse(text) as Record<InstrumentId, string | { floor: string; from: string }>
    for (const [instrument, row] of Object.entries(rows)) {
      const { floor, from } = typeof row === 'string' ? { floor: row, from: row } : row
      const known = this.#known(instrument as InstrumentId)
      known.floor = idOf(floor)
      known.from = idOf(from)
      known.opened = true
    }
  }

  #known(instrument: InstrumentId): Rising {
    let known = this.#of.get(instrument)
    if (known === undefined) {
      known = { opened: false, floor: null, from: null, read: [], booked: new Set(), pruneAt: 2 * KEPT_BELOW }
      this.#of.set(instrument, known)
    }
    return known
  }
}

/** What the list is still read for stays, however much that is. */
function prune(known: Rising): void {
  const { booked, from } = known
  const below = [...booked].filter((id) => from !== null && id <= from).sort((a, b) => (a < b ? -1 : 1))
  for (const id of below.slice(0, Math.max(0, below.length - KEPT_BELOW))) {
    booked.delete(id)
    known.floor = id
  }
  known.pruneAt = Math.max(2 * KEPT_BELOW, 2 * booked.size)
}

const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b)
const textOf = (id: bigint | null): string => (id === null ? '' : String(id))
const idOf = (text: string): bigint | null => (text === '' ? null : BigInt(text))

/** Fills stand in the order of the broker service's record; their ids are only equal or not. */
export class ListedFillCursor implements FillCursor {
  /** Id of the last one read; `null`: asked, and there was none yet. */
  readonly #read = new Map<InstrumentId, string | null>()
  readonly #known = new Map<InstrumentId, Set<string>>()
  /** From before the first contact: not booked, so no table has them. */
  readonly #before = new Map<InstrumentId, readonly string[]>()

  has(instrument: InstrumentId, tradeId: string): boolean {
    return this.#known.get(instrument)?.has(tradeId) ?? false
  }

  remember(instrument: InstrumentId, tradeId: string): void {
    const known = this.#known.get(instrument)
    if (known === undefined) this.#known.set(instrument, new Set([tradeId]))
    else known.add(tradeId)
  }

  open(instrument: InstrumentId, trades: readonly { readonly tradeId: string }[]): void {
    const ids = trades.map(({ tradeId }) => tradeId)
    this.#before.set(instrument, ids)
    for (const id of ids) this.remember(instrument, id)
    this.#read.set(instrument, ids.at(-1) ?? null)
  }

  isOpened(instrument: InstrumentId): boolean {
    return this.#read.has(instrument)
  }

  advance(instrument: InstrumentId, tradeId: string): void {
    this.#read.set(instrument, tradeId)
  }

  query(instrument: InstrumentId): { afterTradeId?: string } {
    const read = this.#read.get(instrument) ?? null
    return read === null ? {} : { afterTradeId: read }
  }

  instruments(): Iterable<InstrumentId> {
    return this.#read.keys()
  }

  toText(): string {
    const entries = [...this.#read].map(([id, read]) => [id, { read: read ?? '', before: this.#before.get(id) ?? [] }])
    return JSON.stringify(Object.fromEntries(entries))
  }

  restore(text: string): void {
    const rows = JSON.parse(text) as Record<InstrumentId, { read: string; before: string[] }>
    for (const [id, { read, before }] of Object.entries(rows)) {
      const instrument = id as InstrumentId
      this.#read.set(instrument, read === '' ? null : read)
      this.#before.set(instrument, before)
      for (const tradeId of before) this.remember(instrument, tradeId)
    }
  }
}
