/**
 * The promise under kill -9: whatever dies and whenever, the fills are those of the undisturbed run, the ledger equals the
 * venue's records, and no order is placed twice.
 */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runJts, seededRandom, sleep, startJts, writeSyntheticBars, type JtsProcess } from '@jts/testkit'
import { replayStrategies } from './rebuild/strategies.ts'
import { toldBy } from './testing/told-by.ts'

const FULL = process.env['JTS_TEST_FULL'] === '1'
const KILLS = FULL ? 200 : 20
const SEED = Number(process.env['JTS_TEST_SEED'] ?? Date.now() % 1_000_000)
const BARS = 6000
/** Kills come this long after a start: before it is ready, while it recovers, and in the middle of trading. */
const KILL_AFTER_MS = { min: 250, max: 2500 }
/** One start in so many lives until the market has moved on: the venue counts the requests of all starts within its own minute. */
const STARTS_PER_STEP = 4

const folder = mkdtempSync(join(tmpdir(), 'jts-kill-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const file = writeSyntheticBars(join(folder, 'BTCUSDT-1m-synthetic.csv'), { bars: BARS, seed: 7 })

type Venue = { restUrl: string; apiKey: string; apiSecret: string; controlUrl: string; controlToken: string }
type Summary = { fillsSha256: string; reconciled: boolean; orders: number; fills: number; differences: string[] }

function startVenue(dataDir: string, port: string): JtsProcess {
  return startJts(['venue', 'binance', '--port', port, '--replay', file, '--data-dir', dataDir, '--json'])
}

function startUp(venue: Venue, dataDir: string): JtsProcess {
  return startJts(
    [
      ...[
        'up',
        '--venue',
        `binance=${venue.restUrl}`,
        '--replay',
        file,
        '--strategy',
        'ema-cross',
        '--until-end',
        '--json',
      ],
      ...['--data-dir', dataDir, '--send-window-ms', '2000'],
    ],
    { JTS_BINANCE_API_KEY: venue.apiKey, JTS_BINANCE_API_SECRET: venue.apiSecret },
  )
}

async function undisturbed(): Promise<Summary> {
  const run = await runJts(['backtest', 'ema-cross', '--data', file, '--json'])
  assert.equal(run.code, 0, run.stderr)
  return JSON.parse(run.stdout) as Summary
}

/** Every order that the venue has ever accepted, asked of the venue itself. */
async function venueOrders(venue: Venue): Promise<{ orderId: number; clientOrderId: string; status: string }[]> {
  const all: { orderId: number; clientOrderId: string; status: string }[] = []
  for (let from = 0; ;) {
    const query = `symbol=BTCUSDT&orderId=${from}&limit=1000&recvWindow=60000&timestamp=${Date.now()}`
    const signature = createHmac('sha256', venue.apiSecret).update(query).digest('hex')
    const response = await fetch(`${venue.restUrl}/api/v3/allOrders?${query}&signature=${signature}`, {
      headers: { 'x-mbx-apikey': venue.apiKey },
    })
    const page = (await response.json()) as typeof all
    assert.equal(response.status, 200, JSON.stringify(page))
    all.push(...page)
    if (page.length < 1000) return all
    from = page.at(-1)!.orderId + 1
  }
}

/** Whatever was killed in between, the record of the strategy's inputs is whole: they lead to the same signals and states again. */
async function replaysAsRecorded(dataDir: string, { orders }: Summary): Promise<void> {
  const [one] = await replayStrategies(dataDir)
  assert.deepEqual([one!.differences, one!.problems, one!.notes], [[], [], []], `seed ${SEED}`)
  assert.ok(one!.inputs > BARS && one!.signals >= orders, JSON.stringify(one))
}

/** One whole replay under kills; returns how many kills hit a living process. */
async function replayUnderKills(name: string, random: () => number, killVenueToo: boolean, wanted: number) {
  const dataDir = join(folder, name)
  const venueDir = join(folder, `${name}-venue`)
  let venueProcess = startVenue(venueDir, '0')
  const venue = JSON.parse(await venueProcess.firstLine) as Venue
  const port = new URL(venue.restUrl).port
  let kills = 0
  let told = 0
  let summary: Summary | undefined
  for (let starts = 0; summary === undefined; starts++) {
    assert.ok(starts < 400, 'the replay does not come to its end')
    const up = startUp(venue, dataDir)
    const afterMs = KILL_AFTER_MS.min + random() * (KILL_AFTER_MS.max - KILL_AFTER_MS.min)
    let isOver = false
    void up.ended.then(() => (isOver = true))
    const killTime = async (): Promise<void> => {
      await sleep(afterMs)
      if (starts % STARTS_PER_STEP !== STARTS_PER_STEP - 1) return
      const before = told
      while (!isOver && (told = await toldBy(venue)) === before) await sleep(20)
    }
    const first = await Promise.race([up.ended, kills < wanted ? killTime() : up.ended])
    if (first === undefined) {
      up.child.kill('SIGKILL')
      await up.ended
      kills++
      if (killVenueToo) {
        venueProcess.child.kill('SIGKILL')
        await venueProcess.ended
        venueProcess = startVenue(venueDir, port)
        await venueProcess.firstLine
      }
      continue
    }
    assert.ok(first.code === 0 || first.code === 1, `seed ${SEED}: ${first.stderr}`)
    summary = JSON.parse(first.stdout) as Summary
  }
  const orders = await venueOrders(venue)
  await replaysAsRecorded(dataDir, summary)
  venueProcess.child.kill('SIGKILL')
  await venueProcess.ended
  rmSync(dataDir, { recursive: true, force: true })
  rmSync(venueDir, { recursive: true, force: true })
  return { kills, summary, orders }
}

for (const killVenueToo of [false, true]) {
  const who = killVenueToo ? 'JTS and the venue are' : 'JTS is'
  test(`a replay in which ${who} killed ${KILLS} times gives the undisturbed fills, and no order twice`, async (context) => {
    context.diagnostic(`seed ${SEED}`)
    const random = seededRandom(SEED + (killVenueToo ? 1 : 0))
    const expected = await undisturbed()
    assert.ok(expected.fills > 100, `expected a market with many fills, found ${expected.fills}`)
    for (let done = 0, run = 0; done < KILLS; run++) {
      const name = `${killVenueToo ? 'both' : 'jts'}-${run}`
      const { kills, summary, orders } = await replayUnderKills(name, random, killVenueToo, KILLS - done)
      done += kills
      const where = `seed ${SEED}, run ${name}, after ${done} kills`
      assert.deepEqual(summary.differences, [], where)
      assert.equal(summary.reconciled, true, where)
      assert.equal(summary.fillsSha256, expected.fillsSha256, where)
      assert.equal(orders.length, expected.orders, `${where}: orders at the venue`)
      assert.equal(new Set(orders.map((order) => order.clientOrderId)).size, orders.length, where)
      context.diagnostic(`${where}: ${orders.length} orders at the venue, ${summary.fills} fills`)
    }
  })
}
