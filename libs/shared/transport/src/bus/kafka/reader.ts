/** Reads given partitions from given offsets on, for ever: one long poll at a time to each broker that leads some of them. */
import type { Consumer } from '@platformatic/kafka'
import type { Topic } from '@jts/contracts'
import type { Logger } from '@jts/runtime'
import type { KafkaClient } from './client.ts'

export type KafkaRecord = {
  readonly offset: number
  readonly value: Buffer
  /** The archive has neither key nor headers. */
  readonly key?: Buffer | null
  readonly headers?: readonly (readonly [Buffer | null, Buffer | null])[]
}

export type ReaderHandlers = {
  /** Records of one partition, in order. The next poll waits for the promise. */
  onRecords(topic: Topic, partition: number, records: readonly KafkaRecord[], end: number): void | Promise<void>
  /** What was asked for is not in the log: no longer kept, or beyond its end. Returns where to go on; without that the partition is dropped. */
  onLost(topic: Topic, partition: number, asked: number, log: LogRange): number | undefined
  /** A broker that was away answers again: its log may have been written anew meanwhile. */
  onBack?(): void
}

/** Offset of the first record that is kept, and of the next one to come. */
export type LogRange = { readonly start: number; readonly end: number }

type Position = {
  readonly topic: Topic
  readonly partition: number
  offset: number
  stopped: boolean
  /** Of the poll under way. */
  asked?: number
}

const WAIT_MS = 500
const RETRY_MS = 100
const SAID_EVERY = 100
const PARTITION_BYTES = 1024 * 1024
const FETCH_BYTES = 8 * 1024 * 1024
const OFFSET_OUT_OF_RANGE = 1
const CONTROL_BATCH = 0b100000

export class KafkaReader {
  readonly #client: KafkaClient
  readonly #role: string
  readonly #handlers: ReaderHandlers
  readonly #log: Logger
  readonly #positions = new Map<string, Position>()
  #consumer: Consumer<Buffer, Buffer, Buffer, Buffer>
  #stopped = false
  #failures = 0
  #running: Promise<void> | undefined

  constructor(client: KafkaClient, role: string, handlers: ReaderHandlers) {
    this.#client = client
    this.#role = role
    this.#handlers = handlers
    this.#log = client.options.log
    this.#consumer = client.consumer(role)
  }

  /** A partition, or one that was dropped or is read elsewhere, from this offset on. */
  add(topic: Topic, partition: number, offset: number): void {
    const place = `${topic}/${partition}`
    const known = this.#positions.get(place)
    // The poll under way goes by this very object.
    if (known !== undefined) Object.assign(known, { offset, stopped: false })
    else this.#positions.set(place, { topic, partition, offset, stopped: false })
  }

  /** Reads this partition no more. */
  drop(topic: Topic, partition: number): void {
    const position = this.#positions.get(`${topic}/${partition}`)
    if (position !== undefined) position.stopped = true
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#consumer.close(true).catch(() => undefined)
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        const byLeader = await this.#byLeader()
        await Promise.all([...byLeader].map(([node, positions]) => this.#poll(node, positions)))
      } catch (error) {
        if (this.#stopped) return
        // The first failure is often a leader that moved; later ones are a broker that is away, said every ten seconds.
        if (this.#failures++ % SAID_EVERY === 1)
          this.#log.warn({ reader: this.#role, err: error }, 'Kafka does not answer; trying again')
        void this.#consumer.close(true).catch(() => undefined)
        this.#consumer = this.#client.consumer(this.#role)
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  async #byLeader(): Promise<Map<number, Position[]>> {
    const names = [...new Set([...this.#positions.values()].map(({ topic }) => this.#client.nameOf(topic)))]
    this.#consumer.topics.trackAll(...names)
    const metadata = await this.#client.guarded(() => this.#consumer.metadata({ topics: names, forceUpdate: true }))
    const groups = new Map<number, Position[]>()
    for (const position of this.#positions.values()) {
      const leader = metadata.topics.get(this.#client.nameOf(position.topic))?.partitions[position.partition]?.leader
      if (leader === undefined || leader < 0) throw new Error(`no leader for ${position.topic}[${position.partition}]`)
      const group = groups.get(leader) ?? []
      group.push(position)
      groups.set(leader, group)
    }
    return groups
  }

  async #poll(node: number, positions: readonly Position[]): Promise<void> {
    const consumer = this.#consumer
    const metadata = await consumer.metadata({ topics: [...consumer.topics.keys()] })
    const idOf = (position: Position): string => metadata.topics.get(this.#client.nameOf(position.topic))!.id
    const byId = new Map<string, Map<number, Position>>()
    for (const position of positions) {
      const partitions = byId.get(idOf(position)) ?? new Map<number, Position>()
      partitions.set(position.partition, position)
      byId.set(idOf(position), partitions)
    }
    while (!this.#stopped && consumer === this.#consumer) {
      const topics = [...byId].map(([topicId, partitions]) => ({
        topicId,
        partitions: [...partitions.values()]
          .filter((position) => !position.stopped)
          .map((position) => ({
            partition: position.partition,
            currentLeaderEpoch: -1,
            fetchOffset: BigInt((position.asked = position.offset)),
            lastFetchedEpoch: -1,
            partitionMaxBytes: PARTITION_BYTES,
          })),
      }))
      let response
      try {
        response = await this.#client.guarded(() =>
          consumer.fetch({ node, topics, maxWaitTime: WAIT_MS, minBytes: 1, maxBytes: FETCH_BYTES }),
        )
      } catch (error) {
        const lost = lostAmong(error, byId)
        if (lost.length === 0) throw error
        await this.#goOnElsewhere(lost)
        continue
      }
      if (this.#failures > 0) this.#handlers.onBack?.()
      this.#failures = 0
      for (const topic of response.responses) {
        for (const answer of topic.partitions) {
          const position = byId.get(topic.topicId)?.get(answer.partitionIndex)
          // Moved while it was asked: what came lies elsewhere.
          if (position === undefined || position.stopped || position.asked !== position.offset) continue
          const records: KafkaRecord[] = []
          for (const batch of answer.records ?? []) {
            const first = Number(batch.firstOffset)
            for (const record of batch.records) {
              const offset = first + record.offsetDelta
              // A batch is sent whole: it may begin before what was asked for.
              if (offset < position.offset || record.value === null || (batch.attributes & CONTROL_BATCH) !== 0)
                continue
              records.push({ offset, key: record.key, value: record.value, headers: record.headers })
            }
            position.offset = Math.max(position.offset, first + batch.lastOffsetDelta + 1)
          }
          if (records.length === 0) continue
          await this.#handlers.onRecords(position.topic, position.partition, records, Number(answer.highWatermark))
        }
      }
    }
  }

  /** The refusal itself does not say where the log begins and ends. */
  async #goOnElsewhere(lost: readonly Position[]): Promise<void> {
    const [starts, ends] = await this.#client.ranges([...new Set(lost.map(({ topic }) => topic))])
    for (const position of lost) {
      const { topic, partition, offset } = position
      const range = { start: starts.get(topic)![partition]!, end: ends.get(topic)![partition]! }
      // Meanwhile it may have grown up to where we are.
      if (position.stopped || (offset >= range.start && offset <= range.end)) continue
      const next = this.#handlers.onLost(topic, partition, offset, range)
      if (next === undefined) position.stopped = true
      else position.offset = next
    }
  }
}

function lostAmong(error: unknown, byId: ReadonlyMap<string, ReadonlyMap<number, Position>>): Position[] {
  const { response } = findResponse(error)
  return (response?.responses ?? []).flatMap(({ topicId, partitions }) =>
    partitions
      .filter(({ errorCode }) => errorCode === OFFSET_OUT_OF_RANGE)
      .flatMap(({ partitionIndex }) => byId.get(topicId)?.get(partitionIndex) ?? []),
  )
}

type FetchFailure = {
  responses: { topicId: string; partitions: { partitionIndex: number; errorCode: number }[] }[]
}

function findResponse(error: unknown): { response: FetchFailure | undefined } {
  for (let cause = error; cause !== undefined && cause !== null; cause = (cause as Error).cause) {
    const { response, errors } = cause as { response?: FetchFailure; errors?: unknown[] }
    if (response?.responses !== undefined) return { response }
    for (const inner of errors ?? []) {
      const found = findResponse(inner)
      if (found.response !== undefined) return found
    }
  }
  return { response: undefined }
}
