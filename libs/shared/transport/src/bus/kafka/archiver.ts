/**
 * Moves what Kafka must not delete by itself to the archive: reads what is older than its class, archives it, and only then
 * lets Kafka delete it, up to where every group has handled it (their tables and offsets in PostgreSQL are the snapshot).
 * `orders.fills` is copied and stays in Kafka for outside readers, for ever.
 *
 * Killed at any point, it goes on: what is archived is known by the archive itself. One process at a time may run it.
 */
import { RETENTION, TOPICS, TOPIC_NAMES, type Topic } from '@jts/contracts'
import type { Logger } from '@jts/runtime'
import { ArchiveError, type Archive } from '../../archive/archive.ts'
import { Due } from '../../archive/due.ts'
import type { KafkaClient } from './client.ts'
import type { KafkaLog } from './log.ts'

export type KafkaArchiverOptions = {
  readonly client: KafkaClient
  readonly log: KafkaLog
  readonly archive: Archive
  /** `topic/partition` → the offset below which every group of every unit has handled it; none where nobody reads it. */
  handled(): Promise<ReadonlyMap<string, number>>
  readonly logger: Logger
  /** Topics that the broker would delete by itself, and that are archived before all the same. */
  readonly archiveToo?: readonly Topic[]
}

export class KafkaArchiver {
  readonly #options: KafkaArchiverOptions

  constructor(options: KafkaArchiverOptions) {
    this.#options = options
  }

  async pass(nowUs: number): Promise<{ readonly archived: number; readonly deleted: number }> {
    const { client, handled, archiveToo, logger, archive } = this.#options
    archive.refresh()
    const topics = TOPIC_NAMES.filter(
      (topic) => RETENTION[TOPICS[topic].kept].then === 'archive' || archiveToo?.includes(topic),
    )
    const [starts, ends] = [await client.offsets(topics, 'start'), await client.offsets(topics, 'end')]
    const read = await handled()
    const moved = { archived: 0, deleted: 0 }
    for (const topic of topics) {
      const { logUs } = RETENTION[TOPICS[topic].kept]
      // The broker deletes market data at its class's age: it has to be in the archive well before.
      const ageUs = archiveToo?.includes(topic) ? logUs / 2 : logUs
      for (const [partition, end] of ends.get(topic)!.entries()) {
        const start = starts.get(topic)![partition] ?? 0
        moved.archived += await this.#archive(topic, partition, { start, end }, nowUs - ageUs)
        const before = Math.min(archive.range(topic, partition)?.end ?? 0, read.get(`${topic}/${partition}`) ?? end)
        moved.deleted += await this.#trim(topic, partition, start, before)
      }
    }
    if (moved.archived > 0) logger.info(moved, 'events were archived')
    return moved
  }

  async #archive(
    topic: Topic,
    partition: number,
    { start, end }: { readonly start: number; readonly end: number },
    beforeUs: number,
  ): Promise<number> {
    const { archive, log } = this.#options
    const isDeletedByBroker = RETENTION[TOPICS[topic].kept].then === 'delete'
    let from = archive.range(topic, partition)?.end ?? 0
    if (from > end) {
      throw new ArchiveError(
        `expected an archive of ${topic}[${partition}] up to ${end} at most, where Kafka's log ends, found one up to ${from}: Kafka is of an earlier time than the archive, or of another run`,
      )
    }
    if (from < start && !isDeletedByBroker) {
      throw new ArchiveError(
        `expected an archive of ${topic}[${partition}] up to ${start}, where Kafka's log begins, found one up to ${from}: put the archive folder back from a backup`,
      )
    }
    from = Math.max(from, start)
    let archived = 0
    while (from < end) {
      const due = new Due(beforeUs)
      for await (const { offset, value } of log.records(topic, partition, from, end)) {
        if (!due.take({ offset, event: value })) break
      }
      const { events } = due
      if (!due.isWorthAFile) return archived
      archive.append(topic, partition, events, from)
      archived += events.length
      from = events.at(-1)!.offset + 1
      if (!due.isFull) return archived
    }
    return archived
  }

  async #trim(topic: Topic, partition: number, start: number, before: number): Promise<number> {
    if (TOPICS[topic].kept === 'for ever' || RETENTION[TOPICS[topic].kept].then === 'delete') return 0
    if (before <= start) return 0
    await this.#options.client.deleteBefore(topic, partition, before)
    return before - start
  }
}
