/**
 * The record of one instance: each entry in the order in which it was told, written as one line with the state. A replay begins at a
 * checkpoint, which is written where the record begins, where the instance began anew or as another run, and each day while old
 * ones are given up; it needs no market that has left the log.
 */
import type { Turn } from '@jts/transport'
import { checkpoints, inputs } from '../adapters/tables.ts'
import { packEntries, unpackEntries, type Entry, type PackedEntry } from './entry.ts'
import { hashOfState, lineText, parseLines } from './line.ts'

export type RecordOptions = {
  readonly instance: string
  readonly runId: string
  /** What made the state, as `made-by.ts` writes it: with another one a replay needs another checkpoint. */
  readonly madeBy: () => string
  /** How long the market that it names is kept, in market time; without it for ever, and so is the record. */
  readonly keptUs?: number | undefined
}

/** An instance at one moment. */
export type Moment = {
  readonly state: string
  readonly inputs: number
  readonly signals: number
  /** Market time; 0 before the first input. */
  readonly timeUs: number
}

type CheckpointRow = NonNullable<(typeof checkpoints)['row']>
type PageRow = NonNullable<(typeof inputs)['row']>

const DAY_US = 86_400_000_000
/** A page is written anew with each of its lines, so it is short. */
const PAGE_CHARACTERS = 4096

export class InputRecord {
  readonly #options: RecordOptions
  readonly #checkpoints: { readonly page: number; readonly timeUs: number }[] = []
  #pending: Entry[] = []
  #page = 0
  #lines = ''
  /** Where the next line begins, when that is to be a checkpoint. */
  #begin: Moment | undefined
  #hasBegun = false

  constructor(options: RecordOptions) {
    this.#options = options
  }

  /**
   * Goes on after a restart. `tail`: the entries since the state was written, as they lie beside their inputs; `kept` is that state.
   * What another run or another file has made ends there, and what the record does not lead to begins anew.
   */
  restore(rows: readonly CheckpointRow[], lastPage: PageRow | undefined, tail: readonly string[], kept: Moment): void {
    const { runId, madeBy } = this.#options
    for (const { page, time_us: timeUs } of rows) this.#checkpoints.push({ page, timeUs })
    const last = rows.at(-1)
    this.#page = Math.max(last?.page ?? 0, lastPage?.page ?? 0)
    // An older version kept no entries beside its inputs: the record begins behind them.
    if (tail.includes('')) return
    this.#pending = tail.flatMap((text) => unpackEntries(JSON.parse(text) as PackedEntry[]))
    this.#hasBegun = true
    this.#lines = lastPage?.page === this.#page ? lastPage.lines : ''
    const written = parseLines(this.#lines).at(-1)?.hash ?? hashOfState(last?.snapshot ?? '')
    const goesOn = last?.run_id === runId && last.made_by === madeBy() && written === hashOfState(kept.state)
    if (!goesOn) this.#begin = kept
  }

  /** @param now the instance before the entry: where the record begins, if it has not begun */
  note(entry: Entry, now: () => Moment): void {
    if (!this.#hasBegun) {
      this.#begin = now()
      this.#hasBegun = true
    }
    this.#pending.push(entry)
  }

  /** The last entry as it lies beside its input until the next line, behind its checkpoint. */
  lastText(timeUs: number, turn: Turn): string {
    if (this.#begin !== undefined) this.#writeCheckpoint(this.#begin, timeUs, turn)
    return JSON.stringify(packEntries(this.#pending.slice(-1)))
  }

  /** Entries that came to nothing: the instance is as it was when there were so many since the last line. */
  keepOnly(count: number): void {
    this.#pending.length = Math.min(this.#pending.length, count)
  }

  /** The instance is no longer what its inputs made of it; the next entry begins anew. */
  breakOff(): void {
    this.#pending = []
    this.#begin = undefined
    this.#hasBegun = false
  }

  /** The state is written in this turn, and so is what led to it. */
  write(now: Moment, turn: Turn): void {
    if (this.#pending.length === 0) return
    const { instance, keptUs } = this.#options
    if (this.#begin !== undefined) this.#writeCheckpoint(this.#begin, now.timeUs, turn)
    else if (this.#lines.length >= PAGE_CHARACTERS) this.#nextPage()
    const { inputs: count, signals, state } = now
    this.#lines += lineText({ entries: this.#pending, inputs: count, signals, hash: hashOfState(state) })
    turn.put(inputs, { instance, page: this.#page, lines: this.#lines })
    this.#pending = []
    if (keptUs !== undefined && now.timeUs - this.#checkpoints.at(-1)!.timeUs >= DAY_US) this.#hasBegun = false
  }

  #writeCheckpoint(begin: Moment, nowUs: number, turn: Turn): void {
    const { instance, runId: run_id, madeBy } = this.#options
    const made_by = madeBy()
    this.#nextPage()
    const page = this.#page
    // A fill that was found late has a time of long ago.
    const timeUs = Math.max(begin.timeUs === 0 ? nowUs : begin.timeUs, this.#checkpoints.at(-1)?.timeUs ?? 0)
    const { inputs: count, signals, state: snapshot } = begin
    turn.put(checkpoints, { instance, page, inputs: count, signals, time_us: timeUs, run_id, made_by, snapshot })
    this.#checkpoints.push({ page, timeUs })
    this.#begin = undefined
    this.#giveUpBefore(nowUs, turn)
  }

  /** A checkpoint goes when the next is old enough for all that is kept of the market, and its pages with it. */
  #giveUpBefore(nowUs: number, turn: Turn): void {
    const { instance, keptUs = Infinity } = this.#options
    while (this.#checkpoints.length > 1 && this.#checkpoints[1]!.timeUs <= nowUs - keptUs) {
      const { page: first } = this.#checkpoints.shift()!
      const next = this.#checkpoints[0]!.page
      turn.remove(checkpoints, { instance, page: first })
      for (let page = first; page < next; page++) turn.remove(inputs, { instance, page })
    }
  }

  #nextPage(): void {
    this.#page++
    this.#lines = ''
  }
}

export type { CheckpointRow, PageRow }
