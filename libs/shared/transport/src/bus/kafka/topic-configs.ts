/**
 * Each topic's retention class as Kafka's own settings. The broker deletes market data and compacts by itself; what must be
 * archived first it keeps for ever, until the archiver has it and says so (`archiver.ts`).
 */
import { ConfigResourceTypes, IncrementalAlterConfigOperationTypes, type Admin } from '@platformatic/kafka'
import { RETENTION, TOPICS, type Topic } from '@jts/contracts'

export type TopicConfig = Readonly<Record<string, string>>

const KEEP_ALL: TopicConfig = { 'cleanup.policy': 'delete', 'retention.ms': '-1' }
/** The broker deletes whole segments, and never the one that is being written. */
const SEGMENTS_PER_CLASS = 4

/** @param keepsAll a replay's log is a record to compare: nothing leaves it. */
export function configOf(topic: Topic, keepsAll: boolean): TopicConfig {
  const { logUs, then } = RETENTION[TOPICS[topic].kept]
  if (keepsAll || then === 'archive') return KEEP_ALL
  const classMs = Math.round(logUs / 1000)
  const segmentMs = String(Math.round(classMs / SEGMENTS_PER_CLASS))
  return then === 'compact'
    ? { 'cleanup.policy': 'compact', 'min.compaction.lag.ms': String(classMs), 'segment.ms': segmentMs }
    : { 'cleanup.policy': 'delete', 'retention.ms': String(classMs), 'segment.ms': segmentMs }
}

/** Topics that an older JTS made kept everything; what an operator has set since stays as it is. */
export async function bringUpToDate(admin: Admin, topics: ReadonlyMap<string, TopicConfig>): Promise<void> {
  const resourceType = ConfigResourceTypes.TOPIC
  const described = await admin.describeConfigs({
    resources: [...topics.keys()].map((resourceName) => ({
      resourceType,
      resourceName,
      configurationKeys: Object.keys(KEEP_ALL),
    })),
  })
  const old = described.filter(({ configs }) => configs.every(({ name, value }) => value === KEEP_ALL[name]))
  const resources = old
    .map(({ resourceName }) => ({ resourceName, config: topics.get(resourceName)! }))
    .filter(({ config }) => config !== KEEP_ALL)
    .map(({ resourceName, config }) => ({
      resourceType,
      resourceName,
      configs: Object.entries(config).map(([name, value]) => ({
        name,
        value,
        configOperation: IncrementalAlterConfigOperationTypes.SET,
      })),
    }))
  if (resources.length > 0) await admin.incrementalAlterConfigs({ resources })
}
