/**
 * Events that have left the log: files of a folder, and an index that says which offsets of which partition each one holds,
 * the sequences of its streams, the times, and its hash. A file counts once its line is in the index, and the line is written
 * when the file is on disk; so a kill at any moment leaves the archive as it was before or as it is after.
 *
 * Each line carries the hash of everything archived of its partition up to there: a chain, which the log's own start repeats.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { decodeEnvelope, EventError, RETENTION, TOPICS, type Topic } from '@jts/contracts'
import { packSegment, sha256, unpackSegment, type StoredEvent } from './segment.ts'

export type Segment = {
  readonly topic: Topic
  readonly partition: number
  /** The offsets it holds: from `first` to before `next`. */
  readonly first: number
  readonly next: number
  readonly events: number
  readonly firstTimeUs: number
  readonly lastTimeUs: number
  /** First and last sequence of each stream in it. */
  readonly streams: Readonly<Record<string, readonly [number, number]>>
  readonly file: string
  readonly bytes: number
  readonly sha256: string
  readonly chain: string
}

export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
}

export const ARCHIVE_FOLDER = 'archive'
const INDEX = 'index.jsonl'
/** Unpacked segments kept for readers that go through one step by step. */
const UNPACKED_KEPT = 4

export class Archive {
  readonly folder: string
  readonly #segments = new Map<string, Segment[]>()
  readonly #unpacked = new Map<string, readonly StoredEvent[]>()
  /** Bytes of the index that have been read: whole lines. */
  #read = 0

  /** @throws ArchiveError when its index is not one. */
  constructor(folder: string) {
    this.folder = folder
    this.refresh()
  }

  /** Reads what another process has added since. A last line without an end was being written: it does not count. */
  refresh(): void {
    const path = join(this.folder, INDEX)
    if (!existsSync(path) || statSync(path).size === this.#read) return
    const bytes = readFileSync(path).subarray(this.#read)
    const end = bytes.lastIndexOf(10) + 1
    for (const line of bytes.subarray(0, end).toString('utf8').split('\n')) {
      if (line !== '') this.#take(line)
    }
    this.#read += end
  }

  segments(topic: Topic, partition: number): readonly Segment[] {
    return this.#segments.get(`${topic}/${partition}`) ?? []
  }

  all(): readonly Segment[] {
    return [...this.#segments.values()].flat()
  }

  /** The first offset that it holds of a partition, and the one after its last; undefined when it holds none. */
  range(topic: Topic, partition: number): { readonly first: number; readonly end: number } | undefined {
    const segments = this.segments(topic, partition)
    return segments.length === 0 ? undefined : { first: segments[0]!.first, end: segments.at(-1)!.next }
  }

  /** The hash of everything archived of a partition before an offset at which a file ends; empty when there is nothing. */
  chain(topic: Topic, partition: number, before = this.range(topic, partition)?.end): string {
    return this.segments(topic, partition).findLast(({ next }) => next === before)?.chain ?? ''
  }

  /**
   * Adds the next events of a partition; on disk when it returns. One process at a time may: whoever holds the data folder.
   * @param first the offset from which on these are all: that of the first event, where no slot before it is empty.
   * @throws ArchiveError when they do not follow what is there
   */
  append(topic: Topic, partition: number, events: readonly StoredEvent[], first = events[0]!.offset): Segment {
    const next = events.at(-1)!.offset + 1
    const end = this.range(topic, partition)?.end
    if (end !== undefined && !follows(topic, end, first)) {
      throw new ArchiveError(`expected ${topic}[${partition}] to go on at ${end}, found events from ${first} on`)
    }
    const { file: packed, contentSha256 } = packSegment(events)
    const file = join(topic, String(partition), `${String(first).padStart(12, '0')}-${next - 1}.events.gz`)
    this.#writeFile(file, packed)
    const segment: Segment = {
      topic,
      partition,
      first,
      next,
      events: events.length,
      ...summaryOf(events),
      file,
      bytes: packed.length,
      sha256: sha256(packed),
      chain: sha256(`${this.chain(topic, partition)}${contentSha256}`),
    }
    const line = `${JSON.stringify(segment)}\n`
    this.#appendLine(line)
    this.#take(line)
    return segment
  }

  /**
   * Events of a partition from an offset on, in order, at most `limit`; fewer at the end of a file.
   * @throws ArchiveError when a file is missing or is not what was archived
   */
  read(topic: Topic, partition: number, from: number, limit: number): readonly StoredEvent[] {
    const segments = this.segments(topic, partition)
    let low = 0
    for (let high = segments.length; low < high;) {
      const middle = (low + high) >>> 1
      if (segments[middle]!.next <= from) low = middle + 1
      else high = middle
    }
    const segment = segments[low]
    if (segment === undefined) return []
    const events = this.#unpack(segment)
    const begin = events.findIndex(({ offset }) => offset >= from)
    return begin < 0 ? [] : events.slice(begin, begin + limit)
  }

  /** Reads every file. @throws ArchiveError at the first that is missing or is not what was archived. */
  verify(): void {
    for (const segments of this.#segments.values()) {
      let chain = ''
      for (const segment of segments) {
        const content = packSegment(unpackSegment(this.#bytesOf(segment))).contentSha256
        chain = sha256(`${chain}${content}`)
        if (chain !== segment.chain) throw damaged(segment, `a log whose hash up to here is ${chain}`)
      }
    }
  }

  #take(line: string): void {
    let segment: Segment
    try {
      segment = JSON.parse(line) as Segment
    } catch (cause) {
      throw new ArchiveError(
        `expected one JSON object a line in ${join(this.folder, INDEX)}, found ${JSON.stringify(line.slice(0, 80))}`,
        { cause },
      )
    }
    const key = `${segment.topic}/${segment.partition}`
    let segments = this.#segments.get(key)
    if (segments === undefined) this.#segments.set(key, (segments = []))
    const end = segments.at(-1)?.next
    if (end !== undefined && !follows(segment.topic, end, segment.first)) {
      throw new ArchiveError(
        `expected ${join(this.folder, INDEX)} to go on with ${segment.topic}[${segment.partition}] at ${end}, found ${segment.first}`,
      )
    }
    segments.push(segment)
  }

  #unpack(segment: Segment): readonly StoredEvent[] {
    const known = this.#unpacked.get(segment.file)
    if (known !== undefined) return known
    const events = unpackSegment(this.#bytesOf(segment))
    this.#unpacked.set(segment.file, events)
    for (const file of this.#unpacked.keys()) {
      if (this.#unpacked.size <= UNPACKED_KEPT) break
      this.#unpacked.delete(file)
    }
    return events
  }

  #bytesOf(segment: Segment): Buffer {
    const path = join(this.folder, segment.file)
    if (!existsSync(path)) throw damaged(segment, 'none')
    const bytes = readFileSync(path)
    const found = sha256(bytes)
    if (found !== segment.sha256) throw damaged(segment, `${bytes.length} bytes with SHA-256 ${found}`)
    return bytes
  }

  /** In one step: a kill leaves no file or the whole one, under a name that the same events get again. */
  #writeFile(file: string, bytes: Buffer): void {
    const path = join(this.folder, file)
    const folder = dirname(path)
    mkdirSync(folder, { recursive: true })
    const fresh = openSync(`${path}.new`, 'w')
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(fresh, bytes, at)
      fsyncSync(fresh)
    } finally {
      closeSync(fresh)
    }
    renameSync(`${path}.new`, path)
    for (const one of [folder, dirname(folder), this.folder]) syncFolder(one)
  }

  #appendLine(line: string): void {
    const index = openSync(join(this.folder, INDEX), existsSync(join(this.folder, INDEX)) ? 'r+' : 'w')
    try {
      // A line that a kill has cut off is written over.
      ftruncateSync(index, this.#read)
      const bytes = Buffer.from(line)
      for (let at = 0; at < bytes.length;) at += writeSync(index, bytes, at, bytes.length - at, this.#read + at)
      fsyncSync(index)
      this.#read += bytes.length
    } finally {
      closeSync(index)
    }
    syncFolder(this.folder)
  }
}

/** Of what is archived only when asked for, a part may be missing: the time in which nobody asked. */
function follows(topic: Topic, end: number, first: number): boolean {
  return first === end || (first > end && isPassing(topic))
}

/** Nothing that must be known is lost with its old events: market data has its source, of a compacted topic the newest stays. */
export function isPassing(topic: Topic): boolean {
  return RETENTION[TOPICS[topic].kept].then !== 'archive'
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

function damaged({ file, bytes, sha256 }: Segment, found: string): ArchiveError {
  return new ArchiveError(
    `expected the archive file ${file} of ${bytes} bytes with SHA-256 ${sha256}, found ${found}: put it back from a backup`,
  )
}

function summaryOf(events: readonly StoredEvent[]): Pick<Segment, 'firstTimeUs' | 'lastTimeUs' | 'streams'> {
  const streams: Record<string, [number, number]> = {}
  let [firstTimeUs, lastTimeUs] = [Infinity, 0]
  for (const { offset, event } of events) {
    let envelope
    try {
      envelope = decodeEnvelope(event, String(offset))
    } catch (error) {
      // What nobody could read is kept as it is.
      if (!(error instanceof EventError)) throw error
      continue
    }
    const { stream, sequence, timeEventUs } = envelope
    const range = (streams[stream] ??= [sequence, sequence])
    range[1] = sequence
    firstTimeUs = Math.min(firstTimeUs, timeEventUs)
    lastTimeUs = Math.max(lastTimeUs, timeEventUs)
  }
  return { firstTimeUs: firstTimeUs === Infinity ? 0 : firstTimeUs, lastTimeUs, streams }
}
