/**
 * What it costs to run apart: events through our bus on Kafka beside the bare client, a tick's way to the order in one process
 * and in many, a risk check over gRPC, and how long each service is away after a kill.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKafka, startPostgres, type KafkaServer, type PostgresServer } from '@jts/servers'
import { runJts, writeSyntheticBars } from '@jts/testkit'
import { benchAfterKill, type Comeback } from './after-kill.ts'
import { benchKafkaBus, type KafkaBusBench } from './kafka-bus.ts'
import { benchRpc, type RpcBench } from './rpc.ts'

type Latency = { readonly p50: number; readonly p99: number }

export type DistributedBench = {
  readonly bus: KafkaBusBench
  readonly tickToOrderUs: { readonly embedded: Latency; readonly distributed: Latency; readonly ratioP50: number }
  readonly replayBarsPerSecond: { readonly embedded: number; readonly distributed: number }
  readonly riskCheck: RpcBench
  /** From kill -9 of each process, ms. */
  readonly afterKill: Comeback
}

export type Rig = {
  readonly folder: string
  readonly kafka: KafkaServer
  readonly postgres: PostgresServer
  /** Names the two for a JTS. */
  readonly env: Readonly<Record<string, string>>
}

/** Servers of its own for what is measured, and a folder. */
export async function withServers<T>(measure: (rig: Rig) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'jts-bench-'))
  const [kafka, postgres] = await Promise.all([startKafka(), startPostgres()])
  const env = { KAFKA_BROKERS: kafka.brokers.join(','), DATABASE_URL: postgres.url }
  try {
    return await measure({ folder, kafka, postgres, env })
  } finally {
    await Promise.all([kafka.stop(), postgres.stop()])
    rmSync(folder, { recursive: true, force: true })
  }
}

export async function benchDistributed(): Promise<DistributedBench> {
  return await withServers(async ({ folder, kafka, postgres, env }) => {
    const bus = await benchKafkaBus(kafka.brokers, postgres.url)
    const file = writeSyntheticBars(join(folder, 'BTCUSDT-1m-bench.csv'), { bars: 400, seed: 5 })
    const replay = ['up', '--replay', file, '--strategy', 'ema-cross', '--set', 'fast=2', '--set', 'slow=4']
    const embedded = await played([...replay, '--until-end', '--json'], {})
    const distributed = await played([...replay, '--distributed', '--until-end', '--json'], env)
    return {
      bus,
      tickToOrderUs: {
        embedded: embedded.latency.tickToWire,
        distributed: distributed.latency.tickToWire,
        ratioP50: distributed.latency.tickToWire.p50 / embedded.latency.tickToWire.p50,
      },
      replayBarsPerSecond: {
        embedded: (embedded.bars / embedded.durationMs) * 1000,
        distributed: (distributed.bars / distributed.durationMs) * 1000,
      },
      afterKill: await benchAfterKill(join(folder, 'live'), env, postgres.url),
      riskCheck: await benchRpc(),
    }
  })
}

type Summary = { bars: number; durationMs: number; latency: { tickToWire: Latency } }

async function played(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Summary> {
  const run = await runJts(args, env)
  if (run.code !== 0) throw new Error(`the replay failed: ${run.stderr}`)
  return JSON.parse(run.stdout) as Summary
}
