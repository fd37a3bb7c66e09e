/** What JTS asks of a Kafka that does not let it say when a topic is put on the disk, as managed ones do not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigSources, MultipleErrors, ResponseError, type Admin } from '@platformatic/kafka'
import { createLogger, silentLogger } from '@jts/runtime'
import { TOPIC_NAMES, TOPICS, type Topic } from '@jts/contracts'
import { KafkaClient } from './client.ts'

const [INVALID_CONFIG, POLICY_VIOLATION, CLUSTER_AUTHORIZATION_FAILED] = [40, 44, 31]

type Setting = { readonly name: string; readonly value?: string }
type Made = { readonly settings: Map<string, string>; readonly partitions: number }

/** A Kafka with these topics that answers every request naming `flush.messages` with a refusal. */
class ManagedKafka extends KafkaClient {
  readonly topics = new Map<string, Made>()
  readonly #answer: number | undefined
  readonly #copies: number

  constructor(answer: number | undefined, copies: number, log = silentLogger) {
    super({ brokers: ['127.0.0.1:1'], prefix: 'sim.', clientId: 'test', log })
    this.#answer = answer
    this.#copies = copies
  }

  override admin(): Admin {
    return {
      listTopics: async () => [...this.topics.keys()],
      createTopics: async ({
        topics,
        configs,
      }: {
        topics: { topic: string; partitions: number }[]
        configs: Setting[]
      }) => {
        this.#check(configs)
        for (const { topic, partitions } of topics)
          this.topics.set(topic, { partitions, settings: settingsOf(configs) })
      },
      describeConfigs: async ({ resources }: { resources: { resourceName: string }[] }) =>
        resources.map(({ resourceName }) => ({
          resourceName,
          configs: [
            { name: 'flush.messages', value: '9223372036854775807', configSource: ConfigSources.DEFAULT_CONFIG },
            ...[...this.topics.get(resourceName)!.settings].map(([name, value]) => ({
              ...{ name, value },
              configSource: ConfigSources.DYNAMIC_TOPIC_CONFIG,
            })),
          ],
        })),
      incrementalAlterConfigs: async ({ resources }: { resources: { resourceName: string; configs: Setting[] }[] }) => {
        for (const { configs } of resources) this.#check(configs)
        for (const { resourceName, configs } of resources) {
          for (const [name, value] of settingsOf(configs)) this.topics.get(resourceName)!.settings.set(name, value)
        }
      },
      metadata: async ({ topics }: { topics: string[] }) => ({
        topics: new Map(
          topics.map((topic) => [
            topic,
            {
              partitions: Array.from({ length: this.topics.get(topic)!.partitions }, () => ({
                replicas: Array.from({ length: this.#copies }, (_, broker) => broker),
              })),
            },
          ]),
        ),
      }),
      close: async () => undefined,
    } as unknown as Admin
  }

  #check(configs: readonly Setting[]): void {
    if (this.#answer === undefined || !configs.some(({ name }) => name === 'flush.messages')) return
    const reason = { '/topics/0': [this.#answer, "Config property 'flush.messages' is not allowed"] }
    throw new MultipleErrors('Creating topics failed.', [new ResponseError(19, 7, reason as never, {})])
  }
}

function settingsOf(configs: readonly Setting[]): Map<string, string> {
  return new Map(configs.map(({ name, value }) => [name, value!]))
}

/** What is said at `error`. */
function listening() {
  const said: string[] = []
  const log = createLogger({ name: 'test', level: 'silent' })
  log.error = ((...words: unknown[]) => void said.push(words.map(String).join(' '))) as typeof log.error
  return { log, said }
}

const RISK =
  /a power cut of Kafka's machine may take acknowledged events of sim\.market-data\.binance\.candles and \d+ more topics: it does not keep flush\.messages=1, and has one copy of them/

for (const [name, answer] of Object.entries({ INVALID_CONFIG, POLICY_VIOLATION })) {
  test(`topics are made without flush.messages where Kafka answers ${name}, and the operator is told of the risk`, async () => {
    const { log, said } = listening()
    const kafka = new ManagedKafka(answer, 1, log)
    await kafka.ensureTopics(TOPIC_NAMES)
    const made = (topic: Topic): Made => kafka.topics.get(`sim.${topic}`)!
    assert.deepEqual([...kafka.topics.keys()].sort(), TOPIC_NAMES.map((topic) => `sim.${topic}`).sort())
    assert.deepEqual(Object.fromEntries(made('orders.events').settings), {
      'cleanup.policy': 'delete',
      'retention.ms': '-1',
    })
    assert.equal(made('orders.events').partitions, TOPICS['orders.events'].partitions)
    assert.equal(said.length, 1)
    assert.match(said[0]!, RISK)
    assert.match((await kafka.ping())!, RISK)
  })
}

test('a Kafka that refuses flush.messages is no risk where it keeps copies on other machines', async () => {
  const { log, said } = listening()
  const kafka = new ManagedKafka(POLICY_VIOLATION, 3, log)
  await kafka.ensureTopics(TOPIC_NAMES)
  assert.equal(kafka.topics.size, TOPIC_NAMES.length)
  assert.deepEqual(said, [])
  assert.equal(await kafka.ping(), undefined)
})

test('topics of an older JTS get the retention that Kafka lets us set, although it refuses flush.messages', async () => {
  const kafka = new ManagedKafka(INVALID_CONFIG, 1)
  const keepsAll = {
    partitions: 16,
    settings: new Map([
      ['cleanup.policy', 'delete'],
      ['retention.ms', '-1'],
    ]),
  }
  kafka.topics.set('sim.market-data.binance.candles', keepsAll)
  await kafka.ensureTopics(TOPIC_NAMES)
  assert.equal(keepsAll.settings.get('retention.ms'), '604800000')
  assert.equal(keepsAll.settings.has('flush.messages'), false)
})

test('a Kafka that takes flush.messages has it on every topic but public trades, and is no risk', async () => {
  const kafka = new ManagedKafka(undefined, 1)
  await kafka.ensureTopics(TOPIC_NAMES)
  const without = [...kafka.topics].filter(([, { settings }]) => settings.get('flush.messages') !== '1')
  assert.deepEqual(
    without.map(([topic]) => topic),
    ['sim.market-data.binance.trades', 'sim.market-data.krx.trades'],
  )
  assert.equal(await kafka.ping(), undefined)
})

test('a person’s own flush.messages stands, and nobody is warned of it', async () => {
  const kafka = new ManagedKafka(undefined, 1)
  await kafka.ensureTopics(TOPIC_NAMES)
  kafka.topics.get('sim.orders.events')!.settings.set('flush.messages', '100')
  await kafka.ensureTopics(TOPIC_NAMES)
  assert.equal(kafka.topics.get('sim.orders.events')!.settings.get('flush.messages'), '100')
  assert.equal(await kafka.ping(), undefined)
})

test('another refusal than of the setting is not taken for it', async () => {
  const kafka = new ManagedKafka(CLUSTER_AUTHORIZATION_FAILED, 1)
  // Asked again for ever otherwise.
  kafka.close()
  await assert.rejects(kafka.ensureTopics(TOPIC_NAMES), /Creating topics failed/)
  assert.equal(kafka.topics.size, 0)
})
