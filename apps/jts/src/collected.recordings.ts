/**
 * The recorded Creon minutes and KRX days, through the simulated COM, creon-service, its client and the collector: the candles on
 * the topic and in the file that `./jts data export` writes are those of the recording, bar for bar.
 * Run with `JTS_RECORDINGS=<folder of recordings> node --test <this file>`.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { readRecordedMarket } from '@jts/market-store/recorded-market'
import { kstDateOf } from '@jts/model'
import { environmentOf, installEnvironment } from '@jts/servers/python'
import { collected, type Row } from './testing/collected.ts'

const recordings = process.env['JTS_RECORDINGS']
if (recordings === undefined)
  throw new Error('expected JTS_RECORDINGS to name the folder of the recordings, found nothing')

async function rowsOf(file: string): Promise<Row[]> {
  const market = await readRecordedMarket(file)
  assert.ok(market.kind === 'bars')
  const { openTimeUs, open, high, low, close, volume } = market
  return Array.from(openTimeUs, (timeUs, i) => [timeUs, open[i]!, high[i]!, low[i]!, close[i]!, volume[i]!])
}

for (const [timeframe, name] of [
  ['1m', 'krx-creon-005930-1m-2018-01to02.csv.gz'],
  ['1d', 'krx-005930-1d-2018to2026.csv.gz'],
] as const) {
  test(`recorded candles of ${timeframe} flow from the venue to the topic and into a file as they were recorded`, async (t) => {
    const environment = environmentOf('apps/brokers/creon-service/requirements.txt')
    await installEnvironment(environment, () => undefined)
    const recording = join(recordings, name)
    const expected = await rowsOf(recording)
    const days = { timeframe, fromDay: kstDateOf(expected[0]![0]), toDay: kstDateOf(expected.at(-1)![0]) }
    const { told, file } = await collected(t, environment.python, days, ['--sim-record', `A005930=${recording}`])
    assert.deepEqual(told, expected)
    assert.deepEqual(await rowsOf(file), expected)
  })
}
