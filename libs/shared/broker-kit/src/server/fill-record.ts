/** The account's record of settled fills: what the venue lists, in the order in which it was first seen here. */
import type { FillRecord } from '@jts/contracts/broker-api'
import type { InstrumentId } from '@jts/model'
import type { BrokerPort } from '../port.ts'
import { toWireFill } from '../wire/index.ts'
import type { Journal } from './journal.ts'
import { ProblemError } from './problems.ts'

export type FillQuery = {
  readonly after?: string
  readonly instrument?: string
  readonly afterFillId?: string
  readonly limit: number
}
export type FillPage = { readonly fills: readonly FillRecord[]; readonly cursor: string; readonly more: boolean }

/** Fills of the venue's list that are read again each time: a later one may be shown before an earlier one. */
const READ_AGAIN = 100

export class FillRecordBook {
  readonly #account: string
  readonly #broker: BrokerPort
  readonly #journal: Journal
  /** Instruments to ask about although no order of ours was in them. */
  readonly #watched: ReadonlySet<string>
  #asking: Promise<void> = Promise.resolve()

  constructor(account: string, broker: BrokerPort, journal: Journal, watched: readonly string[]) {
    this.#account = account
    this.#broker = broker
    this.#journal = journal
    this.#watched = new Set(watched)
  }

  async page(query: FillQuery): Promise<FillPage> {
    const { instrument, limit } = query
    const known = [...new Set([...this.#journal.instruments(this.#account), ...this.#watched])]
    const place = query.afterFillId === undefined ? this.#seqOfCursor(query.after) : undefined
    await this.#ask(instrument === undefined ? known : [instrument])
    const after = place ?? this.#seqOfFill(query.instrument, query.afterFillId!)
    const rows = this.#journal.fillsAfter({ account: this.#account, after, instrument, limit: limit + 1 })
    const fills = rows.slice(0, limit).map(({ seq, fill }) => ({ ...fill, cursor: this.#cursorOf(seq) }))
    const more = rows.length > limit
    const end = more ? rows[limit - 1]!.seq : Math.max(after, this.#journal.lastSeq(this.#account))
    return { fills, cursor: this.#cursorOf(end), more }
  }

  /** One at a time: two readings of the same list would be two lists. */
  #ask(instruments: readonly string[]): Promise<void> {
    const asked = this.#asking.catch(() => undefined).then(() => this.#read(instruments))
    this.#asking = asked
    return asked
  }

  async #read(instruments: readonly string[]): Promise<void> {
    for (const instrument of instruments) {
      const afterTradeId = this.#journal.fillIdBefore(this.#account, instrument, READ_AGAIN)
      const found = await this.#broker.fills({
        instrument: instrument as InstrumentId,
        ...(afterTradeId === undefined ? {} : { afterTradeId }),
      })
      this.#journal.addFills(this.#account, found.filter((fill) => fill.provisional !== true).map(toWireFill))
    }
  }

  #cursorOf(seq: number): string {
    return `${this.#journal.id}.${seq}`
  }

  #seqOfCursor(cursor: string | undefined): number {
    if (cursor === undefined) return 0
    const [id, seq = ''] = cursor.split('.')
    const isOurs = id === this.#journal.id && /^(0|[1-9][0-9]{0,15})$/.test(seq)
    if (isOurs && Number(seq) <= this.#journal.lastSeq(this.#account)) return Number(seq)
    throw new ProblemError('CURSOR_UNKNOWN', `expected a cursor of the record ${this.#journal.id}, found ${cursor}`)
  }

  #seqOfFill(instrument: string | undefined, fillId: string): number {
    if (instrument === undefined)
      throw new ProblemError('INVALID_REQUEST', 'afterFillId: expected instrument beside it')
    const seq = this.#journal.seqOf(this.#account, instrument, fillId)
    if (seq !== undefined) return seq
    throw new ProblemError('CURSOR_UNKNOWN', `expected a fill of ${instrument} in the record, found ${fillId}`)
  }
}
