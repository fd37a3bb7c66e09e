/** Servers that are starting refuse in many ways: whoever may be started before them asks again. */
import type { Logger } from '@jts/runtime'
import { KafkaClient } from '@jts/transport/bus/kafka/client'
import { pingOf } from '@jts/transport/store/postgres-connection'
import { databaseUrlOf, type RunFile } from './run-file.ts'

const AGAIN_MS = 1000

/** What stays wrong is said again and again. */
export async function untilItWorks<T>(what: () => Promise<T>, log: Logger): Promise<T> {
  for (;;) {
    try {
      return await what()
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'a server is not ready; trying again')
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
  }
}

export async function untilServersAnswer(run: RunFile, log: Logger): Promise<void> {
  const database = pingOf(databaseUrlOf(run))
  const kafka = new KafkaClient({ brokers: run.kafkaBrokers, prefix: `${run.namespace}.`, clientId: 'waiting', log })
  try {
    await untilItWorks(() => database.ask(), log)
    await untilItWorks(() => kafka.ping(), log)
  } finally {
    kafka.close()
    await database.stop()
  }
}
