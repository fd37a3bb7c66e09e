/** Recorded trades through the whole pipeline: the fills of the backtest, whatever a strategy does and whenever it is killed. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import {
  runJts,
  sleep,
  startJts,
  writeAnyOrder,
  writeSyntheticBars,
  writeSyntheticTrades,
  type JtsProcess,
} from '@jts/testkit'
import { toldBy } from './testing/told-by.ts'

const FULL = process.env['JTS_TEST_FULL'] === '1'
const SEEDS = FULL ? 20 : 3
const KILLS = FULL ? 20 : 4
const TRADES_KILLED = 1500
const SAME = [
  'bars',
  'trades',
  'signals',
  'approved',
  'denied',
  'orders',
  'fills',
  'cash',
  'position',
  'equity',
  'realisedPnl',
  'fees',
  'fillsSha256',
] as const

type Venue = Readonly<Record<'restUrl' | 'apiKey' | 'apiSecret' | 'controlUrl' | 'controlToken', string>>
type Summary = Readonly<Record<(typeof SAME)[number], unknown>> & { readonly reconciled?: boolean }

const folder = mkdtempSync(join(tmpdir(), 'jts-trades-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const strategy = writeAnyOrder(folder)

function record(trades: number, seed: number): string {
  return writeSyntheticTrades(join(folder, `BTCUSDT-trades-${seed}-${trades}.csv`), { trades, seed })
}

async function backtest(data: string, options: readonly string[]): Promise<Summary> {
  const run = await runJts(['backtest', strategy, '--data', data, ...options, '--json'])
  assert.equal(run.code, 0, run.stderr)
  return JSON.parse(run.stdout) as Summary
}

function replayOf(data: string, options: readonly string[]): readonly string[] {
  return ['up', '--replay', data, '--strategy', strategy, '--until-end', ...options, '--json']
}

function checkSame(found: Summary, expected: Summary, said: string): void {
  const pick = (summary: Summary): object => Object.fromEntries(SAME.map((key) => [key, summary[key]]))
  assert.deepEqual(pick(found), pick(expected), said)
  assert.equal(found.reconciled, true, said)
  assert.ok(Number(expected.fills) > 50 && Number(expected.denied) > 0, `${said}: expected fills and denials`)
}

type Comparison = { readonly slippageBps?: number; readonly hasty?: boolean }

async function compare(seed: number, { slippageBps = 0, hasty = false }: Comparison = {}): Promise<void> {
  const data = record(300, seed)
  const sets = ['--set', `seed=${seed}`, '--set', `hasty=${hasty ? 1 : 0}`]
  const options = [...sets, '--slippage-bps', String(slippageBps)]
  const [expected, live] = await Promise.all([backtest(data, options), runJts(replayOf(data, options))])
  const said = `seed ${seed}, slippage ${slippageBps} bps`
  assert.notEqual(live.stdout, '', `${said}: ${live.stderr}`)
  checkSame(JSON.parse(live.stdout) as Summary, expected, said)
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`on trades, replay and backtest agree: seed ${seed}`, () => compare(seed))
}
test('on trades with slippage they agree as well', () => compare(101, { slippageBps: 3 }))
test('on trades, orders cancelled at once fill in neither', () => compare(201, { hasty: true }))

test(`a replay of trades in which JTS is killed ${KILLS} times, and the venue too, ends with the fills of the backtest`, async () => {
  const data = record(TRADES_KILLED, 7)
  const expected = await backtest(data, ['--set', 'seed=7'])
  checkSame(await replayWithKills(data, join(folder, 'killed')), expected, 'after the kills')
})

/** The summary of the last start, which none of the kills met. */
async function replayWithKills(data: string, dir: string): Promise<Summary> {
  const startVenue = (port: string): JtsProcess =>
    startJts([...['venue', 'binance', '--port', port, '--replay', data], ...['--data-dir', `${dir}-venue`, '--json']])
  let venueProcess = startVenue('0')
  const venue = JSON.parse(await venueProcess.firstLine) as Venue
  const options = ['--venue', `binance=${venue.restUrl}`, '--data-dir', dir]
  const args = replayOf(data, [...options, '--set', 'seed=7', '--send-window-ms', '2000'])
  const keys = { JTS_BINANCE_API_KEY: venue.apiKey, JTS_BINANCE_API_SECRET: venue.apiSecret }
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const run = startJts(args, keys)
      let over: { readonly stderr: string } | undefined
      void run.ended.then((ended) => (over = ended))
      // The first kill hits the first trades, the others come somewhere in the first half: none is too late for a slow look.
      const target = Math.max(1, (kill / (2 * KILLS)) * TRADES_KILLED)
      while ((await toldBy(venue)) < target && over === undefined) await sleep(20)
      assert.equal(over, undefined, `kill ${kill + 1}: the replay has ended before it: ${over?.stderr}`)
      run.child.kill('SIGKILL')
      await run.ended
      if (kill % 2 === 0) continue
      venueProcess.child.kill('SIGKILL')
      await venueProcess.ended
      venueProcess = startVenue(new URL(venue.restUrl).port)
      await venueProcess.firstLine
    }
    const last = await runJts(args, keys)
    assert.equal(last.code, 0, last.stderr)
    return JSON.parse(last.stdout) as Summary
  } finally {
    venueProcess.child.kill('SIGKILL')
    await venueProcess.ended
  }
}

test('streams that are cut again and again lose no trade: what was missed is asked for', async () => {
  const data = record(200, 9)
  const fault = ['--fault', 'disconnect-streams-every=211']
  const venueProcess = startJts(['venue', 'binance', '--port', '0', '--replay', data, ...fault, '--json'])
  try {
    const venue = JSON.parse(await venueProcess.firstLine) as Venue
    const args = replayOf(data, ['--venue', `binance=${venue.restUrl}`, '--set', 'seed=9', '--send-window-ms', '500'])
    const keys = { JTS_BINANCE_API_KEY: venue.apiKey, JTS_BINANCE_API_SECRET: venue.apiSecret }
    const [expected, run] = await Promise.all([backtest(data, ['--set', 'seed=9']), runJts(args, keys)])
    assert.match(run.stderr, /the market stream is down/)
    checkSame(JSON.parse(run.stdout) as Summary, expected, 'with streams that were cut')
  } finally {
    venueProcess.child.kill('SIGKILL')
    await venueProcess.ended
  }
})

test('trades and bars of two instruments run in one replay, each strategy on its own', async () => {
  const trades = record(200, 5)
  const bars = writeSyntheticBars(join(folder, 'ETHUSDT-1m-5.csv'), { bars: 10, seed: 5, priceStart: 2000 })
  const run = await runJts([...replayOf(trades, ['--replay', bars])])
  const { bars: barCount, trades: tradeCount, reconciled } = JSON.parse(run.stdout) as Summary
  assert.deepEqual([barCount, tradeCount, reconciled], [10, 200, true], run.stderr)
})

test('a strategy that handles no trades is refused a record of them, in the words of the backtest', async () => {
  const data = record(10, 1)
  for (const args of [
    ['up', '--replay', data, '--strategy', 'ema-cross', '--until-end', '--json'],
    ['backtest', 'ema-cross', '--data', data, '--json'],
  ]) {
    const run = await runJts(args)
    assert.equal(run.code, 2)
    assert.equal(run.stdout, '')
    assert.match(run.stderr, /ema-cross: expected bars, which it handles, found trades in .*BTCUSDT-trades/)
  }
})
