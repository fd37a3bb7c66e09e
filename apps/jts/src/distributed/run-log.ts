/** The event log of a distributed run, for whoever only looks. */
import { dirname, join } from 'node:path'
import { Archive, ARCHIVE_FOLDER, type Bus } from '@jts/transport'
import { silentLogger } from '@jts/runtime'
import { KafkaClient } from '@jts/transport/bus/kafka/client'
import { KafkaLog } from '@jts/transport/bus/kafka/log'
import { UserError } from '../cli.ts'
import { readRunFile } from './run-file.ts'

const ANSWER_MS = 5000

/** @throws UserError when the run's Kafka does not answer. */
export async function openRunLog(
  file: string,
): Promise<{ readonly log: Pick<Bus, 'read' | 'tap'>; close(): Promise<void> }> {
  const run = readRunFile(file)
  const options = { brokers: run.kafkaBrokers, prefix: `${run.namespace}.`, clientId: 'events', log: silentLogger }
  const client = new KafkaClient(options)
  const late = setTimeout(() => client.close(), ANSWER_MS)
  try {
    await client.offsets(['system.health'], 'end')
  } catch (cause) {
    throw new UserError(
      `expected the Kafka of this run at ${run.kafkaBrokers.join(', ')}, found no answer: start the run, or its servers, first`,
      { cause },
    )
  }
  clearTimeout(late)
  const log = new KafkaLog(client, 'events', new Archive(join(dirname(file), ARCHIVE_FOLDER)))
  return {
    log,
    close: () => {
      log.stop()
      client.close()
      return Promise.resolve()
    },
  }
}
