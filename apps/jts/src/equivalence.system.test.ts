/**
 * The same strategy file gives the same fills in the backtest and through the whole pipeline on the local venue, whatever
 * it does: a strategy that draws its orders from a seeded state tries what a list of cases would forget.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runJts, writeSyntheticBars } from '@jts/testkit'

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

type Summary = Readonly<Record<(typeof SAME)[number], unknown>> & { readonly reconciled?: boolean }

const STRATEGY = `
import { defineStrategy, integer } from '@jts/strategy-kit'

/** The next number in [0, 1) of a small generator whose state is one integer. */
function draw(state: { random: number }): number {
  state.random = (state.random + 0x6d2b79f5) | 0
  let t = Math.imul(state.random ^ (state.random >>> 15), state.random | 1)
  t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

export default defineStrategy({
  name: 'any-order',
  parameters: { seed: integer({ default: 1 }), hasty: integer({ default: 0 }) },
  state: ({ seed }) => ({ random: seed * 7919, resting: [] as number[] }),

  onBar(bar, { state, parameters, position, buy, sell, cancel, target }) {
    const placed: number[] = []
    const count = Math.floor(draw(state) * 3)
    for (let i = 0; i < count; i++) {
      const kind = Math.floor(draw(state) * 12)
      const isBuy = !position.isLong || draw(state) < 0.5
      const limit = bar.close * (1 + (draw(state) - 0.5) * 0.006)
      const size = 0.01 + draw(state) * 0.05
      const amount = isBuy ? size : Math.min(size, Number(position.sellable) / 1e8)
      const order = (options: Parameters<typeof buy>[1] = {}): number =>
        amount < 0.001 ? 0 : isBuy ? buy(amount, options) : sell(amount, options)
      if (kind === 0) order()
      else if (kind === 1) placed.push(order({ limit }))
      else if (kind === 2) order({ limit, timeInForce: 'ioc' })
      else if (kind === 3) order({ limit, timeInForce: 'fok' })
      else if (kind === 4 || kind === 5) placed.push(order({ limit, makerOnly: true }))
      else if (kind === 6) buy(100 + Math.floor(draw(state) * 900), { quote: true })
      else if (kind === 7) target(draw(state) * 0.2)
      else if (kind === 8) sell(position.quantity + 1)
      else if (kind === 9) buy(100)
      else if (kind === 10 && position.isLong && position.quantity > 0.02) sell('250', { quote: true })
    }
    if (parameters.hasty === 1) state.resting.push(...placed)
    while (state.resting.length > 0 && draw(state) < 0.2) {
      cancel(state.resting.splice(Math.floor(draw(state) * state.resting.length), 1)[0]!)
    }
    if (parameters.hasty === 0) state.resting.push(...placed)
  },

  onFill(fill, { state, position, buy, sell, cancel }) {
    const chance = draw(state)
    if (chance < 0.1 && position.isLong) sell(position.sellable)
    else if (chance < 0.2) buy(0.01, { limit: fill.price * (1 + (draw(state) - 0.5) * 0.004), makerOnly: draw(state) < 0.5 })
    else if (chance < 0.3) buy(0.01, { limit: fill.price, timeInForce: 'ioc' })
    else if (chance < 0.5 && state.resting.length > 0) cancel(state.resting.pop()!)
  },
})
`

const folder = mkdtempSync(join(tmpdir(), 'jts-equivalence-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const strategy = join(folder, 'any-order.ts')
writeFileSync(strategy, STRATEGY)

type Comparison = { readonly slippageBps?: number; readonly hasty?: boolean }

async function compare(seed: number, { slippageBps = 0, hasty = false }: Comparison = {}): Promise<void> {
  const bars = 200 + (seed % 6) * 20
  const data = writeSyntheticBars(join(folder, `BTCUSDT-1m-${seed}-${slippageBps}.csv`), { bars, seed, gap: 0.002 })
  const options = [
    '--set',
    `seed=${seed}`,
    '--set',
    `hasty=${hasty ? 1 : 0}`,
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
  assert.ok(Number(expected.fills) > 50 && Number(expected.denied) > 0, `${said}: expected fills and denials`)
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`whatever a strategy does, replay and backtest agree: seed ${seed}`, () => compare(seed))
}
for (let seed = 101; seed <= 100 + SLIPPED_SEEDS; seed++) {
  test(`with slippage they agree as well: seed ${seed}`, () => compare(seed, { slippageBps: 3 }))
}
test('orders cancelled at once fill in neither', () => compare(201, { hasty: true }))
