/**
 * Recorded markets: on bars, the replay through the whole pipeline and the backtest both equal an independent calculation in
 * plain Python (`checks/ema_cross_expected.py` beside the recordings); on trades they equal each other.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runJts } from '@jts/testkit'

const recordings = process.env['JTS_RECORDINGS']
if (recordings === undefined)
  throw new Error('expected JTS_RECORDINGS to name the folder of the recordings, found nothing')

const FILES = ['1d-2017to2021', '4h-2024-01to03', '15m-2024H1', '1m-2024-12']
const KEYS = ['bars', 'signals', 'orders', 'fills', 'cash', 'position', 'equity', 'realisedPnl', 'fees', 'fillsSha256']

for (const name of FILES) {
  test(`BTCUSDT ${name}: replay and backtest equal the independent calculation, and the ledger equals the venue`, async () => {
    const file = join(recordings, `binance-spot-BTCUSDT-${name}.csv.gz`)
    const check = join(recordings, '../checks/ema_cross_expected.py')
    const expected = JSON.parse(
      execFileSync('python3', [check, file, 'BINANCE:BTCUSDT'], { encoding: 'utf8' }),
    ) as Record<string, unknown>
    const backtest = await runJts(['backtest', 'strategies/ema-cross.ts', '--data', file, '--json'])
    const replay = await runJts(['up', '--replay', file, '--strategy', 'ema-cross', '--until-end', '--json'])
    assert.equal(backtest.code, 0, backtest.stderr)
    assert.equal(replay.code, 0, replay.stderr)
    const found = [backtest, replay].map((run) => JSON.parse(run.stdout) as Record<string, unknown>)
    for (const key of KEYS) {
      assert.deepEqual(found[0]![key], expected[key], `backtest ${key}`)
      assert.deepEqual(found[1]![key], expected[key], `replay ${key}`)
    }
    assert.equal(found[0]!['denied'], 0)
    assert.equal(found[1]!['denied'], 0)
    assert.equal(found[1]!['reconciled'], true)
  })
}

/** Answers each move of the price: buys its falls at market, by limit or at once, sells its rises, takes back what rests. */
const MOVES = `
import { defineStrategy, number, quantity } from '@jts/strategy-kit'

export default defineStrategy({
  name: 'moves',
  parameters: { step: number({ default: 0.00005 }), quantity: quantity({ default: '0.01' }) },
  state: () => ({ anchor: 0, moves: 0, resting: 0 }),

  onTrade(trade, { state, parameters, position, buy, sell, cancel }) {
    if (state.anchor === 0) state.anchor = trade.price
    const move = trade.price / state.anchor - 1
    if (Math.abs(move) < parameters.step) return
    state.anchor = trade.price
    state.moves++
    if (state.resting !== 0) cancel(state.resting)
    state.resting = 0
    if (move < 0) {
      if (state.moves % 3 === 0) buy(parameters.quantity, { limit: trade.price * 0.9999, timeInForce: 'ioc' })
      else if (state.moves % 3 === 1) state.resting = buy(parameters.quantity, { limit: trade.price * 0.9998 })
      else buy(parameters.quantity)
    } else if (position.isLong) {
      if (state.moves % 2 === 0) sell(position.sellable)
      else state.resting = sell(position.sellable, { limit: trade.price * 1.0002, makerOnly: true })
    }
  },

  onFill(fill, { position, state, sell }) {
    if (fill.side === 'buy' && position.isLong && state.resting === 0) state.resting = sell(0.005, { limit: fill.price * 1.0001 })
  },
})
`

const folder = mkdtempSync(join(tmpdir(), 'jts-recordings-'))
after(() => rmSync(folder, { recursive: true, force: true }))

for (const slippageBps of [0, 2]) {
  test(`BTCUSDT trades of 2024-08-08: replay and backtest agree, with slippage of ${slippageBps} bps`, async () => {
    const file = join(recordings, 'binance-spot-BTCUSDT-trades-2024-08-08.csv.gz')
    const strategy = join(folder, 'moves.ts')
    writeFileSync(strategy, MOVES)
    const options = ['--slippage-bps', String(slippageBps), '--json']
    const backtest = await runJts(['backtest', strategy, '--data', file, ...options])
    const replay = await runJts(['up', '--replay', file, '--strategy', strategy, '--until-end', ...options])
    assert.equal(backtest.code, 0, backtest.stderr)
    assert.equal(replay.code, 0, replay.stderr)
    const [expected, found] = [backtest, replay].map((run) => JSON.parse(run.stdout) as Record<string, unknown>)
    for (const key of ['trades', ...KEYS]) assert.deepEqual(found![key], expected![key], key)
    assert.equal(found!['reconciled'], true)
    assert.equal(found!['trades'], 19_904)
    assert.ok(Number(found!['fills']) > 100, `expected many fills, found ${String(found!['fills'])}`)
  })
}
