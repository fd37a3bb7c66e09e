/**
 * `./jts halt` and `./jts resume`. A halt goes through the running process; one that hangs (`does-answer.ts`) is ended by its id,
 * the halt is written on its folder, and what is open at the broker is cancelled by a client of our own.
 */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createBinanceBroker, PRODUCTION, TESTNET } from '@jts/binance-service'
import type { ClientOrderId } from '@jts/model'
import { haltOffline } from '@jts/order-execution'
import { Activity, createLogger, silentLogger, systemClock } from '@jts/runtime'
import { EmbeddedBus, lockFolder, SqliteStore } from '@jts/transport'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { doesAnswer, isDeadOrStopped } from './does-answer.ts'
import { createCreonBroker } from '../brokers/creon.ts'
import { openCreon } from '../brokers/open-creon.ts'
import { accountsAt, readConfig } from '../config.ts'
import { RUN_FILE } from '../distributed/run-file.ts'
import type { ManagedBroker } from '../brokers/managed-broker.ts'
import { folderOf, isAlive, processOf, type ProcessFile } from '../running.ts'
import { keysFromEnvironment } from '../venue.ts'

const OPTIONS = {
  reason: { type: 'text', value: 'TEXT', help: 'why, for the record' },
  url: { type: 'text', value: 'URL', help: "the dashboard's address (default: the process of --data-dir)" },
  strategy: {
    type: 'text',
    value: 'NAME',
    help: 'resume: start this strategy instance again, which is barred or stopped',
  },
  'data-dir': { type: 'text', value: 'DIR', help: 'folder of the process (.jts/live, .jts/paper or .jts/sim)' },
  json: { type: 'flag', help: 'one JSON object on standard output' },
} as const

type Counts = { cancelled: number; open: number }
type Answer = { tradingState: string; cancelled: number; unknown: number; open: number; message: string }

const ANSWER_WITHIN_MS = 15_000
const ENDED_WITHIN_MS = 5000
const SEND_WINDOW_US = 5_000_000

export async function haltCommand(name: 'halt' | 'resume', argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(
    {
      name,
      usage: `./jts ${name} [--reason TEXT]`,
      summary:
        name === 'halt'
          ? 'Refuses new orders, waits for sends in flight, cancels what is open. Survives restarts; only ./jts resume lifts it.'
          : 'Lifts a halt.',
      options: OPTIONS,
    },
    argv,
  )
  if (parsed === undefined) return EXIT.ok
  const { options } = parsed
  const reason = options.reason ?? (name === 'halt' ? 'halted from the command line' : '')
  const folder = options.url === undefined ? folderOf(options['data-dir']) : undefined
  const url = options.url ?? processOf(folder!).url
  const isAnswering = await answers(url, folder)
  if (!isAnswering && (name === 'resume' || folder === undefined)) {
    throw new UserError(`expected JTS to answer at ${url}, found that it does not`)
  }
  if (options.strategy !== undefined) return await startStrategy(name, url, options.strategy, options.json)
  const answer = isAnswering ? await ask(url, name, reason) : await haltWithout(folder!, reason)
  process.stdout.write(
    options.json
      ? `${JSON.stringify(answer)}\n`
      : `Trading is ${answer.tradingState}. Orders cancelled: ${answer.cancelled}, without an answer yet: ${answer.unknown}, open: ${answer.open}.${answer.message === '' ? '' : ` (${answer.message})`}\n`,
  )
  return EXIT.ok
}

/** Any answer counts: a process that serves can be halted in the ordinary way, also when the machine makes it slow. */
async function answers(url: string, folder: string | undefined): Promise<boolean> {
  return await doesAnswer({
    ask: async (signal) => {
      const response = await fetch(new URL('/health', url), { signal })
      await response.arrayBuffer()
    },
    isGone: () => folder !== undefined && isDeadOrStopped(processOf(folder).pid),
    onSilence: (misses) => process.stderr.write(`jts: no answer for ${misses} s; asking again\n`),
  })
}

async function startStrategy(name: string, url: string, instance: string, json: boolean | undefined): Promise<number> {
  if (name !== 'resume') throw new UserError('--strategy: expected with resume, which starts it, found with halt')
  const path = `strategies/${encodeURIComponent(instance)}/start`
  const { state } = await ask<{ state: string }>(url, path, '')
  process.stdout.write(json ? `${JSON.stringify({ instance, state })}\n` : `${instance} is ${state}.\n`)
  return EXIT.ok
}

async function ask<T = Answer>(url: string, name: string, reason: string): Promise<T> {
  const response = await fetch(new URL(`/api/v1/${name}`, url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(reason === '' ? {} : { reason }),
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  })
  const body = (await response.json()) as { data?: T; detail?: string; title?: string }
  if (!response.ok || body.data === undefined) {
    throw new UserError(`${name} was refused: ${body.detail ?? body.title ?? response.status}`)
  }
  return body.data
}

/** The process is dead or hangs: it is ended, its folder is marked, its open orders are cancelled from here. */
async function haltWithout(folder: string, reason: string): Promise<Answer> {
  const running = processOf(folder)
  if (isAlive(running.pid)) {
    process.stderr.write(`jts: process ${running.pid} does not answer; ending it\n`)
    process.kill(running.pid, 'SIGKILL')
  }
  const lock = await lockWhenFree(folder)
  const by = 'command line'
  if (existsSync(join(folder, RUN_FILE))) {
    const { haltRun } = await import('../distributed/halt-run.ts')
    await haltRun(folder, { reason, by })
  } else await haltFolder(folder, { reason, by })
  lock.release()
  const counts = running.mode === 'sim' ? { cancelled: 0, open: 0 } : await cancelAtBroker(running, folder)
  return { tradingState: 'halted', unknown: 0, message: 'the process was ended; it starts halted', ...counts }
}

async function haltFolder(folder: string, halt: { readonly reason: string; readonly by: string }): Promise<void> {
  const fatal = (why: string, cause: unknown): never => {
    throw new Error(why, { cause })
  }
  const store = new SqliteStore({ file: join(folder, 'jts.sqlite'), log: silentLogger, fatal })
  // The bus plugs itself into the store, which then takes events.
  void new EmbeddedBus({ store, log: silentLogger, fatal })
  await haltOffline(store, { ...halt, nowUs: systemClock.nowUs() })
  await store.close()
}

async function cancelAtBroker({ mode, config: file }: ProcessFile, folder: string): Promise<Counts> {
  const config = readConfig(file ?? undefined)
  const log = createLogger({ name: 'halt', mode })
  const parts = { activity: new Activity(), wallClock: systemClock, log }
  const creon = await openCreon(config, folder, log)
  const endpoints = mode === 'live' ? PRODUCTION : TESTNET
  const brokers: ManagedBroker[] = [
    ...keysFromEnvironment({ mode, accounts: accountsAt('binance', config) }).map(({ account, ...credentials }) =>
      createBinanceBroker({ account, endpoints, credentials, wallClock: systemClock, log }),
    ),
    ...(creon?.accounts ?? []).map((key) => createCreonBroker(creon!.address, key, parts)),
  ]
  const counts = { cancelled: 0, open: 0 }
  for (const broker of brokers) {
    const { cancelled, open } = await cancelAll(broker)
    counts.cancelled += cancelled
    counts.open += open
  }
  return counts
}

async function cancelAll(broker: ManagedBroker): Promise<Counts> {
  const counts = { cancelled: 0, open: 0 }
  await broker.start()
  for (const order of await broker.openOrders()) {
    const intentTimeUs = systemClock.nowUs() + broker.clockOffsetUs()
    const outcome = await broker.cancelOrder({
      instrument: order.instrument,
      clientOrderId: order.clientOrderId,
      cancelId: randomUUID() as string as ClientOrderId,
      intentTimeUs,
      sendBeforeUs: intentTimeUs + SEND_WINDOW_US,
    })
    if (outcome.kind === 'cancelled') counts.cancelled++
    else counts.open++
  }
  await broker.stop()
  return counts
}

async function lockWhenFree(folder: string): Promise<{ release(): void }> {
  const deadline = performance.now() + ENDED_WITHIN_MS
  for (;;) {
    try {
      return lockFolder(folder)
    } catch (error) {
      if (performance.now() > deadline) throw error
      await new Promise((done) => setTimeout(done, 50))
    }
  }
}
