/**
 * Each topic's retention class as Kafka's own settings. The broker deletes market data and compacts by itself; what must be
 * archived first it keeps for ever, until the archiver has it and says so (`archiver.ts`).
 */
import {
  ConfigResourceTypes,
  ConfigSources,
  findErrorBy,
  IncrementalAlterConfigOperationTypes,
  type Admin,
} from '@platformatic/kafka'
import { RETENTION, TOPICS, type Topic } from '@jts/contracts'

export type TopicConfig = Readonly<Record<string, string>>

const KEEP_ALL: TopicConfig = { 'cleanup.policy': 'delete', 'retention.ms': '-1' }
/**
 * By itself Kafka acknowledges what the operating system has in memory, and a power cut takes it: the event would be gone from the
 * log, and from nobody's offsets. One broker has no copy elsewhere.
 */
const ON_DISK: TopicConfig = { 'flush.messages': '1' }
/** The broker deletes whole segments, and never the one that is being written. */
const SEGMENTS_PER_CLASS = 4
/** INVALID_CONFIG and POLICY_VIOLATION, as a managed Kafka answers to a setting that is not ours to make. */
const SETTING_REFUSED = [40, 44]

/** @param keepsAll a replay's log is a record to compare: nothing leaves it. */
export function configOf(topic: Topic, keepsAll: boolean): TopicConfig {
  const sync = TOPICS[topic].durability === 'lossy' ? {} : ON_DISK
  return { ...retentionOf(topic, keepsAll), ...sync }
}

function retentionOf(topic: Topic, keepsAll: boolean): TopicConfig {
  const { logUs, then } = RETENTION[TOPICS[topic].kept]
  if (keepsAll || then === 'archive') return KEEP_ALL
  const classMs = Math.round(logUs / 1000)
  const segmentMs = String(Math.round(classMs / SEGMENTS_PER_CLASS))
  return then === 'compact'
    ? { 'cleanup.policy': 'compact', 'min.compaction.lag.ms': String(classMs), 'segment.ms': segmentMs }
    : { 'cleanup.policy': 'delete', 'retention.ms': String(classMs), 'segment.ms': segmentMs }
}

/** Topics that an older JTS made kept everything and synced nothing; what an operator has set since stays as it is. */
export async function bringUpToDate(admin: Admin, topics: ReadonlyMap<string, TopicConfig>): Promise<void> {
  const resourceType = ConfigResourceTypes.TOPIC
  const described = await admin.describeConfigs({
    resources: [...topics.keys()].map((resourceName) => ({
      resourceType,
      resourceName,
      configurationKeys: Object.keys({ ...KEEP_ALL, ...ON_DISK }),
    })),
  })
  const alter = async (isAllowed: (name: string) => boolean): Promise<void> => {
    const resources = described
      .map(({ resourceName, configs }) => ({
        resourceType,
        resourceName,
        configs: staleIn(configs, topics.get(resourceName)!)
          .filter(([name]) => isAllowed(name))
          .map(([name, value]) => ({ name, value, configOperation: IncrementalAlterConfigOperationTypes.SET })),
      }))
      .filter(({ configs }) => configs.length > 0)
    if (resources.length > 0) await admin.incrementalAlterConfigs({ resources })
  }
  await orWithoutSync(
    () => alter(() => true),
    () => alter((name) => !(name in ON_DISK)),
  )
}

/** Makes topics that are alike. A Kafka that does not let us say when it syncs makes them all the same: see `unsafeTopics`. */
export async function makeTopics(
  admin: Admin,
  topics: readonly { readonly topic: string; readonly partitions: number; readonly replicas: number }[],
  config: TopicConfig,
): Promise<void> {
  const make = async (isAllowed: (name: string) => boolean): Promise<void> => {
    const configs = Object.entries(config).map(([name, value]) => ({ name, value }))
    await admin.createTopics({ topics: [...topics], configs: configs.filter(({ name }) => isAllowed(name)) })
  }
  await orWithoutSync(
    () => make(() => true),
    () => make((name) => !(name in ON_DISK)),
  )
}

async function orWithoutSync(ask: () => Promise<void>, askWithout: () => Promise<void>): Promise<void> {
  try {
    await ask()
  } catch (error) {
    if (!SETTING_REFUSED.some((code) => findErrorBy(error as Error, 'apiCode', code) !== null)) throw error
    await askWithout()
  }
}

/**
 * Of these topics those whose acknowledged events a power cut of one machine may take: Kafka does not put them on the disk first,
 * and has no copy elsewhere. Where a person has chosen how often a topic is synced, that stands.
 */
export async function unsafeTopics(admin: Admin, topics: ReadonlyMap<string, TopicConfig>): Promise<string[]> {
  const synced = [...topics].filter(([, config]) => Object.keys(ON_DISK).some((name) => name in config))
  if (synced.length === 0) return []
  const names = synced.map(([name]) => name)
  const described = await admin.describeConfigs({
    resources: names.map((resourceName) => ({
      resourceType: ConfigResourceTypes.TOPIC,
      resourceName,
      configurationKeys: Object.keys(ON_DISK),
    })),
  })
  const isSynced = new Set(
    described
      .filter(({ configs }) =>
        configs.some(
          ({ name, value, configSource }) =>
            ON_DISK[name] === value || (name in ON_DISK && configSource === ConfigSources.DYNAMIC_TOPIC_CONFIG),
        ),
      )
      .map(({ resourceName }) => resourceName),
  )
  const unsynced = names.filter((name) => !isSynced.has(name))
  if (unsynced.length === 0) return []
  const { topics: found } = await admin.metadata({ topics: unsynced })
  return unsynced.filter((name) => found.get(name)?.partitions.some(({ replicas }) => replicas.length < 2))
}

type Described = readonly {
  readonly name: string
  readonly value?: string | null | undefined
  readonly configSource: number
}[]

/** The settings of `config` that nobody but an older JTS has chosen. */
function staleIn(described: Described, config: TopicConfig): [string, string][] {
  const now = new Map(described.map(({ name, value, configSource }) => [name, { value, configSource }]))
  const keptAll = Object.entries(KEEP_ALL).every(([name, value]) => now.get(name)?.value === value)
  return Object.entries(config).filter(([name, value]) =>
    name in ON_DISK
      ? now.get(name)?.configSource !== ConfigSources.DYNAMIC_TOPIC_CONFIG
      : keptAll && now.get(name)?.value !== value,
  )
}
