/** What an instance was told, in the order in which it was told it: the words of its record. */
import type { Topic } from '@jts/contracts'

/** Where an event lies, in the log or in the archive. */
export type Place = { readonly topic: Topic; readonly partition: number; readonly offset: number }

/** A bar, a trade, or a fill that its handler heard, or that was only booked because its handlers did not run. */
export type EventEntry =
  | { readonly kind: 'market'; readonly place: Place }
  /** Order 0: of none of its open orders. */
  | { readonly kind: 'fill' | 'booked'; readonly place: Place; readonly order: number }
/** What became of an order, whoever said so: an event, risk, or a person who stopped the strategy. */
export type OrderEntry = { readonly kind: 'closed' | 'unknown' | 'known'; readonly order: number }
/** What it wanted cancelled on the entry before. */
export type CancelEntry = { readonly kind: 'cancel'; readonly order: number }
export type Entry = EventEntry | OrderEntry | CancelEntry

/** As JSON, short: inputs of one partition in a row are the first offset, then steps and how often each came. */
export type PackedEntry = readonly (string | number)[]

const CODES = { fill: 'f', booked: 'b', closed: 'c', unknown: 'u', known: 'k', cancel: 'x' } as const
const KINDS = Object.fromEntries(Object.entries(CODES).map(([kind, code]) => [code, kind as keyof typeof CODES]))
const MARKET = 'm'

export function packEntries(entries: readonly Entry[]): PackedEntry[] {
  const packed: (string | number)[][] = []
  let last: Place | undefined
  for (const entry of entries) {
    const run = packed.at(-1)
    if (entry.kind !== 'market') {
      const where = 'place' in entry ? [partitionText(entry.place), entry.place.offset] : []
      packed.push([CODES[entry.kind], ...where, entry.order])
      last = undefined
    } else if (run !== undefined && last !== undefined && partitionText(last) === partitionText(entry.place)) {
      addStep(run, entry.place.offset - last.offset)
      last = entry.place
    } else {
      packed.push([MARKET, partitionText(entry.place), entry.place.offset])
      last = entry.place
    }
  }
  return packed
}

export function unpackEntries(packed: readonly PackedEntry[]): Entry[] {
  return packed.flatMap((one): Entry[] => {
    const [code, ...rest] = one
    if (code === MARKET) return unpackRun(rest)
    const kind = KINDS[code!]
    if (kind === undefined) {
      throw new Error(`expected a known entry of a record, found ${JSON.stringify(one)}: a newer JTS has written it`)
    }
    if (kind !== 'fill' && kind !== 'booked') return [{ kind, order: rest[0] as number }]
    const [where, offset, order] = rest as [string, number, number]
    return [{ kind, place: placeOf(where, offset), order }]
  })
}

function addStep(run: (string | number)[], step: number): void {
  const isRepeated = run.length > 3 && run.at(-2) === step
  if (isRepeated) run.push((run.pop() as number) + 1)
  else run.push(step, 1)
}

function unpackRun([where, first, ...steps]: readonly (string | number)[]): Entry[] {
  let offset = first as number
  const entries: Entry[] = [{ kind: 'market', place: placeOf(where as string, offset) }]
  for (let i = 0; i < steps.length; i += 2) {
    for (let n = steps[i + 1] as number; n > 0; n--) {
      offset += steps[i] as number
      entries.push({ kind: 'market', place: placeOf(where as string, offset) })
    }
  }
  return entries
}

function partitionText({ topic, partition }: Place): string {
  return `${topic}/${partition}`
}

function placeOf(where: string, offset: number): Place {
  const [topic, partition] = where.split('/') as [Topic, string]
  return { topic, partition: Number(partition), offset }
}
