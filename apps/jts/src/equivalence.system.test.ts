/**
 * The same strategy file gives the same fills in the backtest and through the whole pipeline on the local venue, whatever
 * it does: a strategy that draws its orders from a seeded state tries what a list of cases would forget.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runJts, writeAnyOrder, writeSyntheticBars } from '@jts/testkit'

const SEEDS = process.env['JTS_TEST_FULL'] === '1' ? 20 : 3
const SLIPPED_SEEDS = 2
const SAME = [
  'bars',
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

type Summary = Readonly<Record<(typeof SAME)[number], unknown>> & {
  readonly reconciled?: boolean
  readonly warmUpBars?: number
}

const folder = mkdtempSync(join(tmpdir(), 'jts-equivalence-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const strategy = writeAnyOrder(folder)

type Comparison = { readonly slippageBps?: number; readonly hasty?: boolean; readonly warmUp?: number }

async function compare(seed: number, { slippageBps = 0, hasty = false, warmUp = 0 }: Comparison = {}): Promise<void> {
  const bars = 200 + (seed % 6) * 20
  const data = writeSyntheticBars(join(folder, `BTCUSDT-1m-${seed}-${slippageBps}.csv`), { bars, seed, gap: 0.002 })
  const options = [
    '--set',
    `seed=${seed}`,
    '--set',
    `hasty=${hasty ? 1 : 0}`,
    '--set',
    `warmUp=${warmUp}`,
    '--slippage-bps',
    String(slippageBps),
    '--json',
  ]
  const [backtest, live] = await Promise.all([
    runJts(['backtest', strategy, '--data', data, ...options]),
    runJts(['up', '--replay', data, '--strategy', strategy, '--until-end', ...options]),
  ])
  const said = `seed ${seed}, slippage ${slippageBps} bps`
  assert.notEqual(backtest.stdout, '', `${said}: ${backtest.stderr}`)
  assert.notEqual(live.stdout, '', `${said}: ${live.stderr}`)
  const expected = JSON.parse(backtest.stdout) as Summary
  const found = JSON.parse(live.stdout) as Summary
  const pick = (summary: Summary): object => Object.fromEntries(SAME.map((key) => [key, summary[key]]))
  assert.deepEqual(pick(found), pick(expected), said)
  assert.equal(found.reconciled, true, said)
  assert.equal(expected.warmUpBars ?? 0, warmUp, said)
  assert.ok(Number(expected.fills) > 50 && Number(expected.denied) > 0, `${said}: expected fills and denials`)
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`whatever a strategy does, replay and backtest agree: seed ${seed}`, () => compare(seed))
}
for (let seed = 101; seed <= 100 + SLIPPED_SEEDS; seed++) {
  test(`with slippage they agree as well: seed ${seed}`, () => compare(seed, { slippageBps: 3 }))
}
test('orders cancelled at once fill in neither, and none is made while it warms up', () =>
  compare(201, { hasty: true, warmUp: 60 }))
