/** A line of the record: what an instance was told between two writes of its state, and what it was then. */
import { computedId } from '@jts/runtime'
import { packEntries, unpackEntries, type Entry, type PackedEntry } from './entry.ts'

export type Line = {
  readonly entries: readonly Entry[]
  /** Events consumed and signals made since its first start, this line included. */
  readonly inputs: number
  readonly signals: number
  /** Of the state as it was written. */
  readonly hash: string
}

type Packed = { readonly n: number; readonly s: number; readonly h: string; readonly e: readonly PackedEntry[] }

export function hashOfState(state: string): string {
  return computedId(state)
}

export function lineText({ entries, inputs, signals, hash }: Line): string {
  const packed: Packed = { n: inputs, s: signals, h: hash, e: packEntries(entries) }
  return `${JSON.stringify(packed)}\n`
}

export function parseLines(text: string): Line[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { n, s, h, e } = JSON.parse(line) as Packed
      return { entries: unpackEntries(e), inputs: n, signals: s, hash: h }
    })
}
