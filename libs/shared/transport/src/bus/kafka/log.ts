/** The event log on Kafka as something to look at: without a group, an offset or a transaction. */
import { decodeEvent, EventError, type BusEvent, type Topic } from '@jts/contracts'
import { isPassing, type Archive } from '../../archive/archive.ts'
import { BusError, type Bus, type ReadOptions } from '../port.ts'
import { beforeStart } from '../sqlite-log.ts'
import type { KafkaClient } from './client.ts'
import { KafkaReader, type KafkaRecord } from './reader.ts'

const TRY_AGAIN_MS = 500
const BATCH = 1000

export class KafkaLog implements Pick<Bus, 'read' | 'tap'> {
  readonly #client: KafkaClient
  readonly #name: string
  readonly #archive: Archive | undefined
  readonly #taps = new Set<() => void>()
  #stopped = false

  /**
   * @param name who looks, for the broker's own log.
   * @param archive where events are that have left Kafka.
   */
  constructor(client: KafkaClient, name: string, archive?: Archive) {
    this.#client = client
    this.#name = name
    this.#archive = archive
  }

  tap(topics: readonly Topic[], listener: (event: BusEvent) => void): () => void {
    const isNew = newOnes()
    let reader: KafkaReader | undefined
    let isOff = false
    const begin = async (): Promise<void> => {
      const ends = await this.#client.offsets(topics, 'end')
      if (isOff) return
      reader = new KafkaReader(this.#client, `${this.#name} tap`, {
        onRecords: (topic, partition, records) => {
          for (const record of records) {
            const event = this.#decodeOrSay(topic, partition, record)
            if (event !== undefined && !isOff && isNew(event)) listener(event)
          }
        },
        onLost: (_topic, _partition, asked, { start, end }) => (asked < start ? start : end),
      })
      for (const topic of topics) ends.get(topic)?.forEach((end, partition) => reader!.add(topic, partition, end))
      reader.start()
    }
    const tryBegin = (): void => {
      begin().catch((error: unknown) => {
        if (isOff || this.#stopped) return
        this.#client.options.log.warn({ err: error }, 'events cannot be watched yet; trying again')
        setTimeout(tryBegin, TRY_AGAIN_MS)
      })
    }
    tryBegin()
    const off = (): void => {
      isOff = true
      this.#taps.delete(off)
      void reader?.stop()
    }
    this.#taps.add(off)
    return off
  }

  async *read(topic: Topic, options: ReadOptions = {}): AsyncIterable<BusEvent> {
    const [starts, ends] = (await this.#client.ranges([topic])).map((one) => one.get(topic)!) as [number[], number[]]
    this.#archive?.refresh()
    const isNew = newOnes()
    let left = options.limit ?? Infinity
    for (let partition = 0; partition < ends.length && left > 0; partition++) {
      if (options.partition !== undefined && options.partition !== partition) continue
      const [start, end] = [starts[partition] ?? 0, ends[partition]!]
      let from = Math.max(options.from ?? 0, options.last === undefined ? 0 : end - options.last)
      while (from < start && left > 0) {
        const first = beforeStart({ topic, partition, from, start, archive: this.#archive })
        const rows = first < start ? this.#archive!.read(topic, partition, first, Math.min(BATCH, left)) : []
        for (const row of rows) {
          const event = decodeEvent(row.event, topic, partition, row.offset)
          if (!isNew(event)) continue
          yield event
          left--
        }
        from = (rows.at(-1)?.offset ?? first - 1) + 1
      }
      if (from >= end || left <= 0) continue
      for await (const record of this.records(topic, partition, from, end)) {
        const event = decodeEvent(record.value, topic, partition, record.offset)
        if (!isNew(event)) continue
        yield event
        if (--left <= 0) break
      }
    }
  }

  stop(): void {
    this.#stopped = true
    for (const off of this.#taps) off()
  }

  /** The records of one partition from an offset up to `end`, as fast as they are taken; undecoded. */
  async *records(topic: Topic, partition: number, from: number, end: number): AsyncIterable<KafkaRecord> {
    let batches: (readonly KafkaRecord[])[] = []
    let wake: () => void = () => undefined
    let taken: () => void = () => undefined
    let lost: BusError | undefined
    const lose = (code: 'ARCHIVED_AWAY' | 'FORGOTTEN', how: string): void => {
      lost = new BusError(code, `expected ${topic}[${partition}] ${how}`)
      wake()
    }
    const forgotten = (asked: number, found: number): void =>
      lose(
        'FORGOTTEN',
        `from offset ${asked} on, found that it ends at ${found}: Kafka has lost events that it had acknowledged`,
      )
    const reader = new KafkaReader(this.#client, `${this.#name} read`, {
      onRecords: (_topic, _partition, records) => {
        batches.push(records)
        wake()
        return new Promise((resolve) => (taken = resolve))
      },
      onLost: (_topic, _partition, asked, { start, end: found }) => {
        if (asked < start && isPassing(topic)) return start
        if (asked >= start) forgotten(asked, found)
        else {
          lose(
            'ARCHIVED_AWAY',
            `from offset ${asked} on, found that it was moved to the archive meanwhile, up to ${start}: read again`,
          )
        }
        return undefined
      },
      // Where it has lost its tail meanwhile, nothing more would come.
      onBack: () =>
        void this.#client.endsLater([topic]).then(
          (ends) => {
            const found = ends.get(topic)![partition]!
            if (found < end) forgotten(from, found)
          },
          () => undefined,
        ),
    })
    reader.add(topic, partition, from)
    reader.start()
    try {
      for (;;) {
        if (batches.length === 0 && lost === undefined) await new Promise<void>((resolve) => (wake = resolve))
        if (lost !== undefined) throw lost
        const now = batches
        batches = []
        for (const record of now.flat()) {
          if (record.offset >= end) return
          yield record
          if (record.offset + 1 >= end) return
        }
        taken()
      }
    } finally {
      taken()
      void reader.stop()
    }
  }

  #decodeOrSay(topic: Topic, partition: number, record: KafkaRecord): BusEvent | undefined {
    try {
      return decodeEvent(record.value, topic, partition, record.offset)
    } catch (error) {
      if (!(error instanceof EventError)) throw error
      this.#client.options.log.error(
        { topic, partition, offset: record.offset, err: error },
        'an event could not be read',
      )
      return undefined
    }
  }
}

/** A crash may have sent an event twice; who looks sees it once, as every consumer does: by its sequence in its stream. */
function newOnes(): (event: BusEvent) => boolean {
  const last = new Map<string, number>()
  return ({ topic, stream, sequence }) => {
    const key = `${topic}\n${stream}`
    if (sequence <= (last.get(key) ?? 0)) return false
    last.set(key, sequence)
    return true
  }
}
