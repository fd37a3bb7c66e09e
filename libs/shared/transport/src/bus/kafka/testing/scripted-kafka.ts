/** A Kafka of lists in memory, and the rows of one unit beside it: what a real one does only in a bad moment is done at will. */
import { ResponseError, type Consumer } from '@platformatic/kafka'
import { decodeEvent, encodeEvent, eventIdOf, partitionOf, TOPICS, type NewEvent, type Topic } from '@jts/contracts'
import { silentLogger } from '@jts/runtime'
import type { CommitParticipant, PostgresStore } from '../../../store/postgres.ts'
import type { Turn } from '../../../store/port.ts'
import { KafkaClient, type Ends } from '../client.ts'

const EMPTY_ANSWER_MS = 2
const OFFSET_OUT_OF_RANGE = 1

type Log = { start: number; records: Uint8Array[] }
type Asked = { topicId: string; partitions: { partition: number; fetchOffset: bigint }[] }[]

export class ScriptedKafka extends KafkaClient {
  readonly #logs = new Map<string, Log>()
  /** `topic/partition@offset` of every fetch, oldest first. */
  readonly fetched: string[] = []
  #hold: Promise<undefined> | undefined
  #fails = 0

  constructor() {
    super({ brokers: ['127.0.0.1:1'], prefix: '', clientId: 'test', log: silentLogger })
  }

  log(topic: Topic, partition: number): Log {
    const place = `${topic}/${partition}`
    const log = this.#logs.get(place) ?? { start: 0, records: [] }
    this.#logs.set(place, log)
    return log
  }

  /** Appends the events of a stream with these numbers; each carries its number as its time. */
  append(topic: Topic, stream: string, ...sequences: number[]): void {
    const { records } = this.log(topic, partitionOf(stream, TOPICS[topic].partitions))
    for (const n of sequences) records.push(encodeEvent(numbered(stream, n), eventIdOf(topic, stream, n), n))
  }

  /** Appends an event of a type that nobody knows. */
  appendUnknown(topic: Topic, stream: string, sequence: number): void {
    this.append(topic, stream, sequence)
    const { records } = this.log(topic, partitionOf(stream, TOPICS[topic].partitions))
    records.push(ofNewerVersion(records.pop()!))
  }

  /** Forgets what it has acknowledged from this offset on. */
  forget(topic: Topic, stream: string, from: number): void {
    this.log(topic, partitionOf(stream, TOPICS[topic].partitions)).records.length = from
  }

  /** Answers are worked out at once and given when this is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.#hold = promise
    return () => {
      this.#hold = undefined
      resolve(undefined)
    }
  }

  /** The next fetch finds nobody. */
  failOnce(): void {
    this.#fails = 1
  }

  async until(isTrue: () => boolean): Promise<void> {
    const end = performance.now() + 10_000
    while (!isTrue()) {
      if (performance.now() > end) throw new Error('expected it within 10 s')
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  /** So many fetches later. */
  async fetches(count: number): Promise<void> {
    const from = this.fetched.length
    await this.until(() => this.fetched.length >= from + count)
  }

  override ensureTopics(): Promise<void> {
    return Promise.resolve()
  }

  override offsets(topics: readonly Topic[], which: 'start' | 'end'): Promise<Ends> {
    const found = topics.map((topic) => {
      const logs = Array.from({ length: TOPICS[topic].partitions }, (_, partition) => this.log(topic, partition))
      return [topic, logs.map((log) => (which === 'start' ? log.start : log.records.length))] as const
    })
    return Promise.resolve(new Map(found))
  }

  override ranges(topics: readonly Topic[]): Promise<readonly [Ends, Ends]> {
    return Promise.all([this.offsets(topics, 'start'), this.offsets(topics, 'end')])
  }

  override showOffsets(): Promise<void> {
    return Promise.resolve()
  }

  override consumer(): Consumer<Buffer, Buffer, Buffer, Buffer> {
    const names = new Set<string>()
    return {
      topics: { trackAll: (...all: string[]) => all.forEach((name) => names.add(name)), keys: () => names.keys() },
      metadata: ({ topics }: { topics: string[] }) =>
        Promise.resolve({
          topics: new Map(
            topics.map((name) => {
              const partitions = Array.from({ length: TOPICS[name as Topic].partitions }, () => ({ leader: 0 }))
              return [name, { id: name, partitions }]
            }),
          ),
        }),
      fetch: ({ topics }: { topics: Asked }) => this.#fetch(topics),
      close: () => Promise.resolve(),
    } as unknown as Consumer<Buffer, Buffer, Buffer, Buffer>
  }

  async #fetch(topics: Asked): Promise<unknown> {
    if (this.#fails-- > 0) throw new Error('connect ECONNREFUSED')
    const responses = topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(({ partition, fetchOffset }) =>
        this.#answer(topicId as Topic, partition, fetchOffset),
      ),
    }))
    const answers = responses.flatMap(({ partitions }) => partitions)
    await this.#hold
    if (!answers.some(({ records }) => records.length > 0)) {
      await new Promise((resolve) => setTimeout(resolve, EMPTY_ANSWER_MS))
    }
    if (answers.every(({ errorCode }) => errorCode === 0)) return { responses }
    throw new ResponseError(1, 17, { '/responses/0': [OFFSET_OUT_OF_RANGE, null] } as never, { responses })
  }

  #answer(topic: Topic, partition: number, fetchOffset: bigint) {
    const { start, records } = this.log(topic, partition)
    const offset = Number(fetchOffset)
    const isThere = offset >= start && offset <= records.length
    if (this.fetched.push(`${topic}/${partition}@${offset}`) > 100_000) throw new Error('expected fewer fetches')
    const batches = !isThere
      ? []
      : records.slice(offset).map((value, i) => ({
          firstOffset: BigInt(offset + i),
          lastOffsetDelta: 0,
          attributes: 0,
          records: [{ offsetDelta: 0, key: null, value: Buffer.from(value), headers: [] }],
        }))
    return {
      partitionIndex: partition,
      errorCode: isThere ? 0 : OFFSET_OUT_OF_RANGE,
      highWatermark: BigInt(records.length),
      records: batches,
    }
  }
}

/** What a unit keeps in PostgreSQL of its reading: a bus that is opened on it again goes on from there. */
export class ScriptedRows {
  readonly offsets = new Map<string, number>()
  readonly seen = new Map<string, number>()
  readonly published: { readonly topic: Topic; readonly event: NewEvent }[] = []

  /** The store that a bus is given, new for each. */
  store(): PostgresStore {
    let participant: CommitParticipant
    const turn: Pick<Turn, 'publish'> = { publish: (topic, event) => void this.published.push({ topic, event }) }
    return {
      unit: 'unit',
      shared: 'shared',
      epoch: 1,
      isClosed: false,
      sql: { unsafe: (sql: string, parameters: unknown[]) => Promise.resolve(this.#ask(sql, parameters)) },
      plugParticipant: (one: CommitParticipant) => (participant = one),
      transact: (work: (turn: Turn) => unknown) => work(turn as Turn),
      touch: () => undefined,
      durable: () => Promise.resolve(this.#commit(participant.collect())),
    } as unknown as PostgresStore
  }

  #ask(sql: string, parameters: unknown[]): unknown[] {
    if (sql.includes('INSERT INTO shared.offsets')) {
      const [topics, partitions, nexts] = parameters.slice(3) as [string[], number[], number[]]
      topics.forEach((topic, i) => this.offsets.set(`${topic}/${partitions[i]}`, nexts[i]!))
      return []
    }
    if (sql.includes('FROM shared.offsets')) {
      return [...this.offsets].map(([place, next]) => {
        const [topic, partition] = place.split('/')
        return { topic, partition, next }
      })
    }
    if (!sql.includes('FROM shared.seen')) return []
    return [...this.seen].map(([key, sequence]) => {
      const [topic, stream] = key.split('\n')
      return { topic, stream, sequence }
    })
  }

  #commit({ moves, handled }: ReturnType<CommitParticipant['collect']>): void {
    for (const { topic, partition, last, next } of moves) {
      const place = `${topic}/${partition}`
      if (this.offsets.get(place) !== last)
        throw new Error(`expected ${place} at ${last}, found ${this.offsets.get(place)}`)
      this.offsets.set(place, next)
    }
    for (const { topic, stream, sequence } of handled) this.seen.set(`${topic}\n${stream}`, sequence)
  }
}

/** The same bytes with a type that this version does not know. */
export function ofNewerVersion(event: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(event).toString('latin1').replace('OrderAccepted', 'OrderAccepteX'), 'latin1')
}

/** The numbers of these records. */
export function numbersOf(topic: Topic, records: readonly { readonly value: Buffer }[]): number[] {
  return records.map(({ value }) => decodeEvent(value, topic, 0, 0).sequence)
}

function numbered(stream: string, n: number): NewEvent {
  return {
    type: 'OrderAccepted',
    stream,
    account: stream,
    correlationId: `c${n}`,
    causationId: '',
    timeEventUs: n,
    payload: { ref: undefined, clientOrderId: `o${n}`, venueOrderId: String(n) },
  }
}
