/**
 * Which fills of an account are known: per instrument the trade id up to which the venue's own list has been read, and the
 * ids beyond it that notices have brought. Trade ids rise per instrument; an account sees only some of them.
 */
import type { InstrumentId } from '@jts/model'

export class FillCursor {
  /** `null`: asked, and there was none yet. */
  readonly #read = new Map<InstrumentId, bigint | null>()
  readonly #beyond = new Map<InstrumentId, Set<string>>()

  has(instrument: InstrumentId, tradeId: string): boolean {
    const read = this.#read.get(instrument)
    if (read !== undefined && read !== null && BigInt(tradeId) <= read) return true
    return this.#beyond.get(instrument)?.has(tradeId) ?? false
  }

  /** A fill has been booked. */
  remember(instrument: InstrumentId, tradeId: string): void {
    const read = this.#read.get(instrument)
    if (read !== undefined && read !== null && BigInt(tradeId) <= read) return
    const beyond = this.#beyond.get(instrument) ?? new Set()
    beyond.add(tradeId)
    this.#beyond.set(instrument, beyond)
  }

  /** Trades from before the first contact are not ours to book. */
  open(instrument: InstrumentId, trades: readonly { readonly tradeId: string }[]): void {
    this.#read.set(instrument, trades.length === 0 ? null : BigInt(trades.at(-1)!.tradeId))
  }

  /** The venue's list has been read and booked up to here. */
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
