/** Recorded markets in both modes: the same fills, and the same event log. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { TwoModes } from './testing/two-modes.ts'

const recordings = process.env['JTS_RECORDINGS']
if (recordings === undefined)
  throw new Error('expected JTS_RECORDINGS to name the folder of the recordings, found nothing')

/** Bar by bar between processes takes minutes for the week: a day of it unasked, the week with every count. */
const DAYS = process.env['JTS_TEST_FULL'] === '1' ? 7 : 1
const MINUTES = DAYS * 24 * 60

const modes = new TwoModes()
before(() => modes.start())
after(() => modes.stop())

test('BTCUSDT 4h-2024-01to03', async () => {
  const data = join(recordings, 'binance-spot-BTCUSDT-4h-2024-01to03.csv.gz')
  const { summary } = await modes.compare('4h', ['--replay', data, '--strategy', 'ema-cross'], 1)
  assert.equal(summary['reconciled'], true)
  assert.ok(Number(summary['fills']) > 5)
})

test(`${DAYS} day(s) of BTCUSDT 1m-2024-12`, async () => {
  const month = gunzipSync(readFileSync(join(recordings, 'binance-spot-BTCUSDT-1m-2024-12.csv.gz'))).toString()
  const data = join(modes.folder, 'binance-spot-BTCUSDT-1m-days.csv')
  writeFileSync(data, `${month.split('\n', MINUTES + 1).join('\n')}\n`)
  const { summary } = await modes.compare('days', ['--replay', data, '--strategy', 'ema-cross'], 1)
  assert.equal(summary['reconciled'], true)
  assert.equal(summary['bars'], MINUTES)
})
