/** Services of a distributed replay killed (`kill -9`) or stopped where they stand, again and again: the same fills, once. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { provideKafka, providePostgres, type ProvidedKafka, type ProvidedPostgres } from '@jts/servers'
import { runJts, sleep, startJts, writeSyntheticBars } from '@jts/testkit'
import { openLog } from '../open-log.ts'
import { SERVICE_NAMES } from './run-file.ts'
import { PROCESSES_FILE } from './supervisor.ts'

const ROUNDS = process.env['JTS_TEST_FULL'] === '1' ? 8 : 1
const BARS = 300

const folder = mkdtempSync(join(tmpdir(), 'jts-killed-services-'))
const data = writeSyntheticBars(join(folder, 'BTCUSDT-1m-3.csv'), { bars: BARS, seed: 3, priceStart: 40_000 })
const replay = ['--replay', data, '--strategy', 'ema-cross', '--set', 'fast=3', '--set', 'slow=7']
let kafka: ProvidedKafka
let postgres: ProvidedPostgres
let expected: Summary

type Summary = { fillsSha256: string; orders: number; fills: number; equity: string; reconciled: boolean }

before(async () => {
  ;[kafka, postgres] = await Promise.all([provideKafka(), providePostgres()])
  const { stdout, stderr } = await runJts(['backtest', 'ema-cross', '--data', data, ...replay.slice(4), '--json'])
  assert.notEqual(stdout, '', stderr)
  expected = JSON.parse(stdout) as Summary
})
after(async () => {
  await Promise.all([kafka.stop(), postgres.stop()])
  rmSync(folder, { recursive: true, force: true })
})

type Processes = Record<string, { pid: number; state: string; starts: number }>

function processesOf(dir: string): Processes | undefined {
  try {
    return JSON.parse(readFileSync(join(dir, PROCESSES_FILE), 'utf8')) as Processes
  } catch {
    return undefined
  }
}

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(pid, name)
  } catch {
    // It has ended by itself, and is started again while the replay goes on.
  }
}

/** Plays the recording while `harm` is done to the processes; what comes out must be what it always is. */
async function play(name: string, harm: (dir: string, isOver: () => boolean) => Promise<void>): Promise<Processes> {
  const dir = join(folder, name)
  const env = { KAFKA_BROKERS: kafka.brokers.join(','), DATABASE_URL: postgres.url }
  const up = startJts(['up', '--distributed', ...replay, '--until-end', '--json', '--data-dir', dir], env)
  const isOver = (): boolean => up.child.exitCode !== null || up.child.signalCode !== null
  const areUp = (): boolean => {
    const processes = Object.values(processesOf(dir) ?? {})
    return processes.length === SERVICE_NAMES.length && processes.every(({ state }) => state === 'up')
  }
  while (!areUp() && !isOver()) await sleep(50)
  await harm(dir, isOver)
  const { stdout, stderr } = await up.ended
  assert.notEqual(stdout, '', stderr)
  const found = JSON.parse(stdout) as Summary
  assert.equal(found.fillsSha256, expected.fillsSha256, stderr)
  assert.deepEqual(
    { orders: found.orders, fills: found.fills, equity: found.equity, reconciled: found.reconciled },
    { orders: expected.orders, fills: expected.fills, equity: expected.equity, reconciled: true },
  )
  const sent: string[] = []
  const { log, close } = await openLog(dir)
  for await (const event of log.read('orders.events')) {
    if (event.type === 'OrderSubmitting') sent.push(event.payload.clientOrderId)
  }
  await close()
  assert.equal(new Set(sent).size, sent.length, 'a request was written twice')
  return processesOf(dir)!
}

for (let round = 1; round <= ROUNDS; round++) {
  test(`every service is killed in turn: round ${round}`, async () => {
    const processes = await play(`killed-${round}`, async (dir, isOver) => {
      for (const service of SERVICE_NAMES) {
        await sleep(200 + Math.random() * 800)
        if (isOver()) return
        signal(processesOf(dir)?.[service]?.pid, 'SIGKILL')
      }
    })
    const restarted = Object.values(processes).filter(({ starts }) => starts > 1).length
    assert.ok(restarted >= 3, `expected most services to be killed while the replay went on, found ${restarted}`)
  })
}

test('services that stand still for a while go on where they stood', async () => {
  await play('stopped', async (dir, isOver) => {
    for (const service of ['order-execution', 'risk-management', 'strategy-engine'] as const) {
      await sleep(300)
      if (isOver()) return
      const pid = processesOf(dir)?.[service]?.pid
      signal(pid, 'SIGSTOP')
      await sleep(1500)
      signal(pid, 'SIGCONT')
    }
  })
})
