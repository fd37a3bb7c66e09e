/**
 * A Korean share at Creon's simulated COM beside Binance: traded, killed, red for a while, and Binance does not notice. In one
 * process and in many.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { CreonApiClient } from '@jts/api-client'
import { accountId } from '@jts/model'
import { silentLogger, systemClock } from '@jts/runtime'
import {
  provideKafka,
  providePostgres,
  provideRedis,
  type ProvidedKafka,
  type ProvidedPostgres,
  type ProvidedRedis,
} from '@jts/servers'
import { runJts, startJts, type JtsProcess } from '@jts/testkit'
import { openLog } from './open-log.ts'
import {
  assertNothingTwice,
  CREON_ACCOUNT,
  creonLight,
  fillsOf,
  haltAndCompare,
  IN_AND_OUT,
  KRX_KNOWN,
  until,
  untilCreonAloneIsNotGreen,
  untilItTradesOn,
} from './testing/creon.ts'

/** Between processes with every count: it is the same test, on servers. */
const MODES =
  process.env['JTS_TEST_FULL'] === '1'
    ? (['in one process', 'between processes'] as const)
    : (['in one process'] as const)

const folder = mkdtempSync(join(tmpdir(), 'jts-creon-'))
const started: JtsProcess[] = []
let servers: [ProvidedKafka, ProvidedPostgres, ProvidedRedis] | undefined
before(async () => {
  if (MODES.length > 1) servers = await Promise.all([provideKafka(), providePostgres(), provideRedis()])
})
after(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  for (const { ended } of started) await ended
  await Promise.all((servers ?? []).map((server) => server.stop()))
  rmSync(folder, { recursive: true, force: true })
})

const ETF = 'KRX:069500'
const KOSDAQ = 'KRX:247540'
const SHARES = ['KRX:005930', 'KRX:000660', 'KRX:035420']
type Run = { fromDay: string; state: string; total: number; done: number; candles: number; failures: unknown[] }

const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)

function collecting(dir: string, ...args: string[]): ReturnType<typeof runJts> {
  return runJts(['data', 'collect', ...args, '--data-dir', dir, '--json'])
}

const runOf = (stdout: string): Run => (JSON.parse(stdout) as { collections: Run[] }).collections[0]!

/** How many minutes of a share were collected, by its export. */
async function exported(dir: string, instrument: string): Promise<number> {
  const out = join(folder, `${instrument.slice(4)}-1m.csv`)
  const wanted = ['--instrument', instrument, '--timeframe', '1m', '--out', out]
  const { stdout } = await runJts(['data', 'export', ...wanted, '--data-dir', dir, '--json'])
  return (JSON.parse(stdout) as { candles: number }).candles
}

/** The run from that day on has brought its first candles; mostly it has others to bring. */
async function hasBegun(url: string, from: string): Promise<true | undefined> {
  const { data } = (await (await fetch(`${url}/api/v1/collections`)).json()) as { data: Run[] }
  return data.some(({ fromDay, candles }) => fromDay === from && candles > 0) || undefined
}

function environment(): Record<string, string> {
  const [kafka, postgres, redis] = servers!
  return { KAFKA_BROKERS: kafka.brokers.join(','), DATABASE_URL: postgres.url, REDIS_URL: redis.url }
}

/** Creon's service, asked by a client of the test's own. */
function brokerOf(dir: string, log: string): CreonApiClient {
  const { keys } = JSON.parse(readFileSync(join(dir, 'creon', 'keys.json'), 'utf8')) as {
    keys: { id: string; secret: string }[]
  }
  const port = Number(/"port":(\d+),"msg":"creon-service is up/.exec(log)![1])
  const key = keys[0]!
  const account = accountId(CREON_ACCOUNT)
  return new CreonApiClient({ windowsHost: '127.0.0.1', port, key, account, wallClock: systemClock, log: silentLogger })
}

for (const mode of MODES) {
  test(`Korean shares are traded through what becomes of Creon’s service, nothing twice, and Binance goes on: ${mode}`, async () => {
    try {
      await play(mode === 'in one process' ? 'embedded' : 'distributed')
    } catch (cause) {
      const said = started.map(({ child, errors }) => `${child.exitCode ?? child.signalCode ?? 'it runs'}: ${errors()}`)
      throw new Error(`${(cause as Error).message}; JTS: ${said.join('; ')}`, { cause })
    }
  })
}

async function play(mode: 'embedded' | 'distributed'): Promise<void> {
  writeFileSync(join(folder, 'in-and-out.ts'), IN_AND_OUT)
  const config = join(folder, 'jts.yaml')
  writeFileSync(
    config,
    JSON.stringify({
      accounts: [
        { name: 'main', broker: 'binance' },
        { name: 'krx', broker: 'creon' },
      ],
      krx: KRX_KNOWN,
      strategies: [
        {
          instance: 'btc',
          strategy: 'ema-cross',
          instrument: 'BINANCE:BTCUSDT',
          timeframe: '1s',
          parameters: { fast: 2, slow: 4 },
        },
        { instance: 'samsung', strategy: join(folder, 'in-and-out.ts'), instrument: 'KRX:005930' },
        { instance: 'kodex', strategy: join(folder, 'in-and-out.ts'), instrument: ETF },
        { instance: 'ecopro', strategy: join(folder, 'in-and-out.ts'), instrument: KOSDAQ },
      ],
    }),
  )
  const dir = join(folder, mode)
  const options = ['--config', config, '--data-dir', dir, '--port', '0']
  const jts =
    mode === 'embedded' ? startJts(['up', ...options]) : startJts(['up', '--distributed', ...options], environment())
  started.push(jts)
  let errors = ''
  jts.child.stderr!.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const url = (await jts.firstLine).slice('Dashboard: '.length)
  /** Of Creon's service, one after the other. */
  const pids = (): number[] => {
    const lines = errors.split('\n').slice(0, -1)
    const starts = lines.filter((line) => line.includes('creon-service is up, with its simulated COM'))
    return starts.map((line) => (JSON.parse(line) as { pid: number }).pid)
  }
  const untilItIsUp = (nth: number): Promise<number> =>
    until(`creon-service is up, start ${nth}`, () => Promise.resolve(pids()[nth - 1]))

  await untilItIsUp(1)
  await until('fills at both brokers, and a green light', async () => {
    const [krx, binance] = [await fillsOf(url, 'KRX'), await fillsOf(url, 'BINANCE')]
    if (krx.length < 2 || binance.length < 1) return undefined
    return (await creonLight(url)).state === 'up' ? true : undefined
  })

  // Past minutes of three shares are being collected while their broker dies.
  const wanted = ['--instruments', SHARES.join(','), '--timeframe', '1m', '--from', daysAgo(7), '--to', daysAgo(1)]
  const minutes = mode === 'embedded' ? collecting(dir, ...wanted) : undefined
  let kills = 0
  // It is soon back: before anybody has looked, it is killed again, and then stays away for longer.
  await untilCreonAloneIsNotGreen(url, () => {
    if (pids().length > kills) process.kill(pids()[kills++]!, 'SIGKILL')
  })
  await untilItTradesOn(url, 'BINANCE')

  const pid = await untilItIsUp(kills + 1)
  await untilItTradesOn(url, 'KRX')

  if (mode === 'embedded') {
    // Alive, its port open, and silent: what is asked of it is never answered until it goes on.
    process.kill(pid, 'SIGSTOP')
    await untilCreonAloneIsNotGreen(url)
    await untilItTradesOn(url, 'BINANCE')
    process.kill(pid, 'SIGCONT')
    await untilItTradesOn(url, 'KRX')
  }
  const sales = await until('an ETF and a KOSDAQ share are sold', async () => {
    const found = (await fillsOf(url, 'KRX')).filter(({ side }) => side === 'sell')
    return [ETF, KOSDAQ].every((id) => found.some(({ instrument }) => instrument === id)) ? found : undefined
  })
  for (const { instrument, quantity, price, fee } of sales) {
    const won = Number(quantity) * Number(price)
    const share = (basisPoints: number): number => Math.floor((won * basisPoints) / 10_000)
    // Of a KOSPI share two taxes, each cut to the won.
    const tax = instrument === ETF ? 0 : instrument === KOSDAQ ? share(20) : share(5) + share(15)
    assert.equal(Number(fee), Math.floor((won * 150) / 1_000_000) + tax, `the costs of ${instrument}`)
  }
  const collected = await minutes
  if (collected !== undefined) {
    assert.equal(collected.code, 0, collected.stderr)
    const { state, done, failures } = runOf(collected.stdout)
    assert.deepEqual([state, done, failures], ['done', 3, []])
  }
  await haltAndCompare(url, brokerOf(dir, errors))
  let last = jts
  let wholeMarket: Run | undefined
  if (mode === 'embedded') {
    // A whole market is being collected when JTS itself dies; started again, it goes on by itself, and whoever watches it, too.
    const from = daysAgo(12)
    const watching = collecting(dir, '--market', 'KOSDAQ', '--timeframe', '1m', '--from', from, '--to', daysAgo(1))
    await until('the market is being collected', () => hasBegun(url, from), 10)
    jts.child.kill('SIGKILL')
    await jts.ended
    last = startJts(['up', ...options])
    started.push(last)
    const watched = await watching
    assert.equal(watched.code, 0, watched.stderr)
    wholeMarket = runOf(watched.stdout)
  }
  last.child.kill('SIGTERM')
  const { code, stderr } = await last.ended
  assert.equal(code, 0, stderr)

  await assertNothingTwice(dir)
  const { log, close } = await openLog(dir)
  const told: string[] = []
  for await (const event of log.read('market-data.krx.candles')) {
    if (event.type !== 'Candle') continue
    told.push(`${event.payload.instrument} ${event.payload.timeframe} ${event.payload.openTimeUs}`)
  }
  await close()
  assert.equal(new Set(told).size, told.length, 'a candle was told twice')
  if (collected === undefined || wholeMarket === undefined) return
  const share = await exported(dir, 'KRX:005930')
  assert.ok(share > 0)
  assert.equal(SHARES.length * share, runOf(collected.stdout).candles)
  const { state, total, done, failures, candles } = wholeMarket
  assert.deepEqual([state, total, done, failures], ['done', 2, 2, []])
  assert.ok(candles > 0)
  assert.equal(told.filter((one) => one.startsWith(`${KOSDAQ} 1m`)).length, candles)
  assert.equal(await exported(dir, KOSDAQ), candles)
}
