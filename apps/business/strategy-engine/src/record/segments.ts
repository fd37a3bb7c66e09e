/** The record of an instance as its rows hold it, cut where a replay has to begin again. */
import type { instances, tails } from '../adapters/tables.ts'
import type { Kept } from '../instance.ts'
import { unpackEntries, type Entry, type PackedEntry } from './entry.ts'
import type { CheckpointRow, PageRow } from './input-record.ts'
import { parseLines, type Line } from './line.ts'
import { parseMadeBy, type MadeBy } from './made-by.ts'

export type RecordRows = {
  readonly checkpoints: readonly CheckpointRow[]
  readonly pages: readonly PageRow[]
  /** The instance as it is kept, and what it was given since. */
  readonly kept: NonNullable<(typeof instances)['row']>
  readonly tail: readonly NonNullable<(typeof tails)['row']>[]
}

/** From one checkpoint to the next: one run, one file, the same parameters. */
export type Segment = {
  readonly runId: string
  readonly madeBy: MadeBy
  readonly timeUs: number
  /** Where it begins. */
  readonly snapshot: string
  readonly signals: number
  readonly lines: readonly Line[]
  /** What was told after the last line: of this there is no state. */
  readonly tail: readonly Entry[]
  /** The whole state at the last line, where it is still known. */
  readonly end: string | undefined
}

/** @throws Error when a page is missing: of what follows nobody knows from where it came */
export function segmentsOf({ checkpoints, pages, kept, tail }: RecordRows): Segment[] {
  const byPage = (a: { page: number }, b: { page: number }): number => a.page - b.page
  const begins = [...checkpoints].sort(byPage)
  const sorted = [...pages].sort(byPage)
  return begins.map((row, i): Segment => {
    const next = begins[i + 1]
    const own = sorted.filter(({ page }) => page >= row.page && page < (next?.page ?? Infinity))
    own.forEach(({ page }, n) => {
      if (page === row.page + n) return
      throw new Error(`expected page ${row.page + n} of the record of ${row.instance}, found page ${page}`)
    })
    const lines = own.flatMap((page) => parseLines(page.lines))
    // Of what was begun since the state was written there is no line yet.
    if (lines.length === 0 && !(next === undefined && row.inputs === kept.inputs)) {
      throw new Error(`expected page ${row.page} of the record of ${row.instance}, found none`)
    }
    const later = tail.filter(({ number, entry }) => number > kept.inputs && entry !== '')
    return {
      runId: row.run_id,
      madeBy: parseMadeBy(row.made_by),
      timeUs: row.time_us,
      snapshot: row.snapshot,
      signals: row.signals,
      lines,
      tail: next === undefined ? entriesOf(later) : [],
      end: endOf(row, lines, next === undefined ? kept.snapshot : next.snapshot),
    }
  })
}

function entriesOf(tail: RecordRows['tail']): Entry[] {
  return [...tail]
    .sort((a, b) => a.number - b.number)
    .flatMap(({ entry }) => unpackEntries(JSON.parse(entry) as PackedEntry[]))
}

/** What comes next begins with the state at the last line, unless the instance has begun anew or seen the past in between. */
function endOf(checkpoint: CheckpointRow, lines: readonly Line[], next: string): string | undefined {
  return lines.length > 0 && beginningOf(next) === beginningOf(checkpoint.snapshot) ? next : undefined
}

function beginningOf(snapshot: string): string {
  const { strategy, parameters, warmUp } = JSON.parse(snapshot) as Kept
  return JSON.stringify([strategy, parameters, warmUp])
}
