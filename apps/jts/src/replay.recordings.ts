/**
 * Recorded markets: the replay through the whole pipeline and the backtest both equal an independent calculation in plain
 * Python (`checks/ema_cross_expected.py` beside the recordings).
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
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
