/** Kills at every kind of moment between disk and wire: right before and right after each synced commit of the first orders. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { KILL_AT_SYNC, runJts, startJts, writeSyntheticBars } from '@jts/testkit'

const FULL = process.env['JTS_TEST_FULL'] === '1'
/** Synced commits after the start at which the process is killed; an order makes about four. */
const POINTS = FULL ? 60 : 5
const folder = mkdtempSync(join(tmpdir(), 'jts-kill-points-'))
after(() => rmSync(folder, { recursive: true, force: true }))
/** As many as bring the orders for all the points. */
const BARS = FULL ? 450 : 120
const file = writeSyntheticBars(join(folder, 'BTCUSDT-1m-synthetic.csv'), { bars: BARS, seed: 7 })

type Summary = { fillsSha256: string; reconciled: boolean; orders: number; fills: number }

test(`a replay killed right before and right after each of ${POINTS} synced commits gives the undisturbed fills`, async (t) => {
  const backtest = await runJts(['backtest', 'ema-cross', '--data', file, '--json'])
  const expected = JSON.parse(backtest.stdout) as Summary
  assert.ok(expected.fills >= 4, `expected several fills, found ${expected.fills}`)
  const venueProcess = (dir: string) =>
    startJts(['venue', 'binance', '--port', '0', '--replay', file, '--data-dir', dir, '--json'])
  for (let point = 1; point <= POINTS; point++) {
    for (const when of ['before', 'after']) {
      const dir = join(folder, `${when}-${point}`)
      const venue = venueProcess(join(dir, 'venue'))
      t.after(() => venue.child.kill('SIGKILL'))
      const { restUrl, apiKey, apiSecret } = JSON.parse(await venue.firstLine) as Record<string, string>
      const keys = { JTS_BINANCE_API_KEY: apiKey!, JTS_BINANCE_API_SECRET: apiSecret! }
      const args = [
        ...[
          'up',
          '--venue',
          `binance=${restUrl}`,
          '--replay',
          file,
          '--strategy',
          'ema-cross',
          '--until-end',
          '--json',
        ],
        ...['--data-dir', join(dir, 'jts'), '--send-window-ms', '500'],
      ]
      const killed = await runJts(args, {
        ...keys,
        NODE_OPTIONS: `--import ${KILL_AT_SYNC}`,
        JTS_KILL_AT_SYNC: `${when}:${point}`,
      })
      assert.equal(killed.signal, 'SIGKILL', `${when} ${point}: ${killed.stderr}`)
      const again = await runJts(args, keys)
      assert.equal(again.code, 0, `${when} ${point}: ${again.stderr}`)
      const summary = JSON.parse(again.stdout) as Summary
      assert.equal(summary.fillsSha256, expected.fillsSha256, `${when} ${point}`)
      assert.equal(summary.orders, expected.orders, `${when} ${point}`)
      assert.equal(summary.reconciled, true, `${when} ${point}`)
      venue.child.kill('SIGKILL')
      await venue.ended
    }
  }
})
