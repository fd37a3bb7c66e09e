/**
 * Kafka's clients as JTS uses them. No consumer group: who reads what is decided by ownership, and the offsets live in the
 * consumer's own store; so there is no rebalance that could lose or double anything. Each call has a time limit, and a breaker
 * stands before all of them.
 */
import { Admin, Consumer, findErrorBy, NetworkError, Producer, TimeoutError } from '@platformatic/kafka'
import { TOPIC_NAMES, TOPICS, type Topic } from '@jts/contracts'
import type { Logger } from '@jts/runtime'
import { bringUpToDate, configOf, makeTopics, unsafeTopics, type TopicConfig } from './topic-configs.ts'
import {
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
  TaskCancelledError,
  timeout,
  TimeoutStrategy,
  wrap,
  type IPolicy,
} from 'cockatiel'

export type KafkaOptions = {
  /** `host:port` of the brokers to ask first. */
  readonly brokers: readonly string[]
  /** Before every topic's name: modes and replays never share a topic. */
  readonly prefix: string
  /** Names this process in the broker's logs and quotas. */
  readonly clientId: string
  readonly log: Logger
  readonly callTimeoutMs?: number
  /** Retention classes do not count: a replay's log is a record to compare. */
  readonly keepsAll?: boolean
}

const CALL_TIMEOUT_MS = 5000
const BREAKER_FAILURES = 5
const BREAKER_HALF_OPEN_MS = 1000
const CONNECT_TIMEOUT_MS = 3000
const END_AGAIN_MS = 1000
const RETRY_MS = 30
const RETRY_MAX_MS = 500
const SAID_EVERY = 10
const UNKNOWN_TOPIC = 3
/** Copies of each partition: `default.replication.factor`, which is one where there is one broker. */
const AS_THE_BROKER_SAYS = -1

export type Ends = ReadonlyMap<string, readonly number[]>
type AnyConsumer = Consumer<Buffer, Buffer, Buffer, Buffer>

export class KafkaClient {
  readonly options: KafkaOptions
  readonly #policy: IPolicy
  #closed = false
  #breakerState: 'closed' | 'open' | 'half-open' = 'closed'

  constructor(options: KafkaOptions) {
    this.options = options
    // An answer that we do not like is an answer: the breaker counts silence.
    const breaker = circuitBreaker(handleWhen(isSilence), {
      halfOpenAfter: BREAKER_HALF_OPEN_MS,
      breaker: new ConsecutiveBreaker(BREAKER_FAILURES),
    })
    breaker.onStateChange((state) => {
      const name = state === CircuitState.Open ? 'open' : state === CircuitState.HalfOpen ? 'half-open' : 'closed'
      // It is half-open once a second while the broker is away: what is said is the first opening, and the end.
      const isNews = name === 'closed' || (name === 'open' && this.#breakerState === 'closed')
      this.#breakerState = name
      if (!isNews) return
      options.log.warn({ breaker: 'kafka', state: name }, `the breaker before Kafka is ${name}`)
    })
    this.#policy = wrap(breaker, timeout(options.callTimeoutMs ?? CALL_TIMEOUT_MS, TimeoutStrategy.Aggressive))
  }

  get breakerState(): 'closed' | 'open' | 'half-open' {
    return this.#breakerState
  }

  /** Every call goes through here: a broker that does not answer is an error after a while, and soon at once. */
  guarded<T>(call: () => Promise<T>): Promise<T> {
    return this.#policy.execute(call)
  }

  /** A question that is asked until it is answered: a broker that is away is waited for, and said so now and then. */
  async persistently<T>(what: string, ask: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask()
      } catch (error) {
        if (this.#closed) throw error
        // A topic made a moment ago is not known everywhere yet: not worth a word.
        if (attempt % SAID_EVERY === 0)
          this.options.log.warn({ what, err: error }, 'Kafka does not answer; trying again')
        await new Promise((resolve) => setTimeout(resolve, Math.min(RETRY_MAX_MS, RETRY_MS * attempt)))
      }
    }
  }

  /** Ends what is asked for again and again. */
  close(): void {
    this.#closed = true
  }

  nameOf(topic: Topic): string {
    return `${this.options.prefix}${topic}`
  }

  #base(role: string) {
    return {
      clientId: `${this.options.clientId} ${role}`.replaceAll(' ', '-'),
      bootstrapBrokers: [...this.options.brokers],
      connectTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: CALL_TIMEOUT_MS,
      retries: 0,
      autocreateTopics: false,
    }
  }

  producer(): Producer<Buffer, Buffer, Buffer, Buffer> {
    return new Producer({
      ...this.#base('producer'),
      idempotent: true,
      acks: -1,
      metadataMaxAge: 60_000,
    })
  }

  consumer(role: string): AnyConsumer {
    return new Consumer({ ...this.#base(role), groupId: `${this.options.prefix}${role}`.replaceAll(' ', '-') })
  }

  admin(): Admin {
    return new Admin(this.#base('admin'))
  }

  async #withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = this.admin()
    try {
      return await this.guarded(() => work(admin))
    } finally {
      void admin.close().catch(() => undefined)
    }
  }

  /**
   * A question that costs little, for whoever wants to know whether Kafka answers. Returns what a person should know of it
   * although it does.
   */
  async ping(): Promise<string | undefined> {
    return await this.#withAdmin(async (admin) => {
      const known = new Set(await admin.listTopics())
      return await this.#powerCutRisk(
        admin,
        TOPIC_NAMES.filter((topic) => known.has(this.nameOf(topic))),
      )
    })
  }

  async #powerCutRisk(admin: Admin, topics: readonly Topic[]): Promise<string | undefined> {
    try {
      const [first, ...others] = await unsafeTopics(admin, this.#configsOf(topics))
      if (first === undefined) return undefined
      const more = others.length === 0 ? '' : ` and ${others.length} more topics`
      return `a power cut of Kafka's machine may take acknowledged events of ${first}${more}: it does not keep flush.messages=1, and has one copy of them`
    } catch (error) {
      // A topic made a moment ago is not known everywhere yet.
      if (isSilence(error) || findErrorBy(error as Error, 'apiCode', UNKNOWN_TOPIC) !== null) throw error
      return `it does not say whether a power cut may take acknowledged events: ${(error as Error).message}`
    }
  }

  #configsOf(topics: readonly Topic[]): Map<string, TopicConfig> {
    return new Map(topics.map((topic) => [this.nameOf(topic), configOf(topic, this.options.keepsAll === true)]))
  }

  /** Creates the topics that are missing, with the partitions of the contract. */
  async ensureTopics(topics: readonly Topic[]): Promise<void> {
    await this.persistently('which topics there are', () => this.#ensureTopics(topics))
    const risk = await this.persistently('how safe they are', () =>
      this.#withAdmin((admin) => this.#powerCutRisk(admin, topics)),
    )
    if (risk !== undefined) this.options.log.error(`Kafka: ${risk}`)
  }

  async #ensureTopics(topics: readonly Topic[]): Promise<void> {
    await this.#withAdmin(async (admin) => {
      const known = new Set(await admin.listTopics())
      const [missing, there] = [
        topics.filter((topic) => !known.has(this.nameOf(topic))),
        topics.filter((topic) => known.has(this.nameOf(topic))),
      ]
      const keepsAll = this.options.keepsAll === true
      if (there.length > 0) await this.#bringUpToDate(admin, there)
      try {
        // One call takes one set of settings.
        for (const [config, alike] of Map.groupBy(missing, (topic) => JSON.stringify(configOf(topic, keepsAll)))) {
          const topics = alike.map((topic) => ({
            topic: this.nameOf(topic),
            partitions: TOPICS[topic].partitions,
            replicas: AS_THE_BROKER_SAYS,
          }))
          await makeTopics(admin, topics, JSON.parse(config) as TopicConfig)
        }
      } catch (error) {
        // Two services that start together both see that a topic is missing; the one that came second makes the rest again.
        const now = new Set(await admin.listTopics())
        if (!missing.every((topic) => now.has(this.nameOf(topic)))) throw error
      }
    })
  }

  /** Who may not change a topic's settings trades all the same: its log only grows. */
  async #bringUpToDate(admin: Admin, topics: readonly Topic[]): Promise<void> {
    try {
      await bringUpToDate(admin, this.#configsOf(topics))
    } catch (error) {
      if (isSilence(error)) throw error
      this.options.log.warn({ err: error }, 'the retention of topics could not be set: they keep everything')
    }
  }

  /** Kafka forgets what lies before an offset. */
  async deleteBefore(topic: Topic, partition: number, offset: number): Promise<void> {
    await this.#withAdmin((admin) =>
      admin.deleteRecords({
        topics: [{ name: this.nameOf(topic), partitions: [{ partition, offset: BigInt(offset) }] }],
      }),
    )
  }

  /** The next offset of each partition (`end`), or the first that is still there (`start`). */
  async offsets(topics: readonly Topic[], which: 'start' | 'end'): Promise<Ends> {
    return await this.persistently('where the log begins and ends', () =>
      this.#withConsumer(topics, (consumer) => this.#offsets(consumer, topics, which)),
    )
  }

  /** Both, asked together. */
  async ranges(topics: readonly Topic[]): Promise<readonly [starts: Ends, ends: Ends]> {
    return await this.persistently('where the log begins and ends', () =>
      this.#withConsumer(topics, (consumer) =>
        Promise.all([this.#offsets(consumer, topics, 'start'), this.#offsets(consumer, topics, 'end')]),
      ),
    )
  }

  async #withConsumer<T>(topics: readonly Topic[], ask: (consumer: AnyConsumer) => Promise<T>): Promise<T> {
    const consumer = this.consumer('offsets')
    try {
      consumer.topics.trackAll(...topics.map((topic) => this.nameOf(topic)))
      return await ask(consumer)
    } finally {
      void consumer.close(true).catch(() => undefined)
    }
  }

  async #offsets(consumer: AnyConsumer, topics: readonly Topic[], which: 'start' | 'end'): Promise<Ends> {
    const names = topics.map((topic) => this.nameOf(topic))
    const found = await this.guarded(() =>
      consumer.listOffsets({ topics: names, timestamp: which === 'start' ? -2n : -1n }),
    )
    return new Map(
      topics.map((topic) => [topic, (found.get(this.nameOf(topic)) ?? []).map((offset) => Number(offset))]),
    )
  }

  /** Where the logs end as told a second later: a broker that has just come up may tell an earlier end at first. */
  async endsLater(topics: readonly Topic[]): Promise<Ends> {
    await new Promise((resolve) => setTimeout(resolve, END_AGAIN_MS))
    return await this.offsets(topics, 'end')
  }

  /** Tells Kafka how far a group is, for its own tools only: nothing reads these offsets back. */
  async showOffsets(group: string, rows: readonly { topic: Topic; partition: number; next: number }[]): Promise<void> {
    const topics = new Map<string, { partition: number; offset: bigint }[]>()
    for (const { topic, partition, next } of rows) {
      const name = this.nameOf(topic)
      const partitions = topics.get(name) ?? []
      partitions.push({ partition, offset: BigInt(next) })
      topics.set(name, partitions)
    }
    await this.#withAdmin((admin) =>
      admin.alterConsumerGroupOffsets({
        groupId: `${this.options.prefix}${group}`,
        topics: [...topics].map(([name, partitionOffsets]) => ({ name, partitionOffsets })),
      }),
    )
  }
}

function isSilence(error: unknown): boolean {
  if (error instanceof TaskCancelledError) return true
  return [NetworkError.code, TimeoutError.code].some((code) => findErrorBy(error as Error, 'code', code) !== null)
}
