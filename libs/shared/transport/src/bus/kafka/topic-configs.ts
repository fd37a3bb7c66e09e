/**
 * Each topic's retention class as Kafka's own settings. The broker deletes market data and compacts by itself; what must be
 * archived first it keeps for ever, until the archiver has it and says so (`archiver.ts`).
 */
import {
  ConfigResourceTypes,
  ConfigSources,
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
  const resources = described
    .map(({ resourceName, configs }) => ({
      resourceType,
      resourceName,
      configs: staleIn(configs, topics.get(resourceName)!).map(([name, value]) => ({
        name,
        value,
        configOperation: IncrementalAlterConfigOperationTypes.SET,
      })),
    }))
    .filter(({ configs }) => configs.length > 0)
  if (resources.length > 0) await admin.incrementalAlterConfigs({ resources })
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
