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
  /** The venue's list has been read and booked up to here. */
  advance(instrument: InstrumentId, tradeId: string): void
  query(instrument: InstrumentId): { afterTradeId?: string }
  instruments(): Iterable<InstrumentId>
  toText(): string
  restore(text: string): void
}

/** `cumulative`: the venue gives fills no ids, and what stands for one says nothing about which came first. */
export function fillCursorFor(idSource: 'venue' | 'cumulative'): FillCursor {
  return idSource === 'venue' ? new RisingFillCursor() : new ListedFillCursor()
}

/** Trade ids rise per instrument; an account sees only some of them. Ids beyond the list read come from notices. */
export class RisingFillCursor implements FillCursor {
  /** `null`: asked, and there was none yet. */
  readonly #read = new Map<InstrumentId, bigint | null>()
  readonly #beyond = new Map<InstrumentId, Set<string>>()

  has(instrument: InstrumentId, tradeId: string): boolean {
    const read = this.#read.get(instrument)
    if (read !== undefined && read !== null && BigInt(tradeId) <= read) return true
    return this.#beyond.get(instrument)?.has(tradeId) ?? false
  }

  remember(instrument: InstrumentId, tradeId: string): void {
    const read = this.#read.get(instrument)
    if (read !== undefined && read !== null && BigInt(tradeId) <= read) return
    const beyond = this.#beyond.get(instrument) ?? new Set()
    beyond.add(tradeId)
    this.#beyond.set(instrument, beyond)
  }

  open(instrument: InstrumentId, trades: readonly { readonly tradeId: string }[]): void {
    this.#read.set(instrument, trades.length === 0 ? null : BigInt(trades.at(-1)!.tradeId))
  }

  advance(instrument: InstrumentId, tradeId: string): void {
    const id = BigInt(tradeId)
    const read = this.#read.get(instrument) ?? null
    if (read !== null && id <= read) return
    this.#read.set(instrument, id)
    const beyond = this.#beyond.get(instrument)
    if (beyond === undefined) return
    for (const known of beyond) if (BigInt(known) <= id) beyond.delete(known)
  }

  query(instrument: InstrumentId): { afterTradeId?: string } {
    const read = this.#read.get(instrument) ?? null
    return read === null ? {} : { afterTradeId: String(read) }
  }

  instruments(): IterableIterator<InstrumentId> {
    return this.#read.keys()
  }

  toText(): string {
    return JSON.stringify(
      Object.fromEntries([...this.#read].map(([id, read]) => [id, read === null ? '' : String(read)])),
    )
  }

  restore(text: string): void {
    for (const [instrument, read] of Object.entries(JSON.parse(text) as Record<string, string>)) {
      this.#read.set(instrument as InstrumentId, read === '' ? null : BigInt(read))
    }
  }
}

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
