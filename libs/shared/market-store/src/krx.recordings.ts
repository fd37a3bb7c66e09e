/** Recorded Korean shares. Run with `JTS_RECORDINGS=<folder of recordings> node --test <this file>`. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { it } from 'node:test'
import { kstDateOf, kstSecondsOf, secondsOfTime } from '@jts/model/krx'
import { readRecordedMarket } from './recorded-market.ts'

const folder = process.env['JTS_RECORDINGS']!

it('every trading day of 005930 from 2018 to 2026 is there', async () => {
  const market = await readRecordedMarket(join(folder, 'krx-005930-1d-2018to2026.csv.gz'))
  assert.ok(market.kind === 'bars')
  assert.deepEqual([market.instrument, market.timeframe, market.length, market.gaps], ['KRX:005930', '1d', 1835, 0])
})

it('every minute that Creon gave is one of a session, 381 on each whole day', async () => {
  const market = await readRecordedMarket(join(folder, 'krx-creon-005930-1m-2018-01to02.csv.gz'))
  assert.ok(market.kind === 'bars')
  assert.deepEqual([market.instrument, market.timeframe, market.length, market.gaps], ['KRX:005930', '1m', 6571, 0])
  const byDay = new Map<string, number>()
  for (const timeUs of market.openTimeUs) {
    const date = kstDateOf(timeUs)
    byDay.set(date, (byDay.get(date) ?? 0) + 1)
    const seconds = kstSecondsOf(timeUs)
    assert.ok(seconds >= secondsOfTime('09:00') && seconds < secondsOfTime('15:30'))
  }
  assert.deepEqual([...byDay.values()], [94, ...Array.from({ length: 17 }, () => 381)])
})
