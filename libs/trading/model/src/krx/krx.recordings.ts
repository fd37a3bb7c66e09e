/**
 * The rules of the KRX against what really happened. Run with `JTS_RECORDINGS=<folder of recordings> node --test <this file>`.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { ONE, type Units } from '../numbers.ts'
import { isOnTick } from '../tick-size.ts'
import { KrxCalendar } from './calendar.ts'
import { krxPriceLimits } from './price-limits.ts'
import { krxTickBands } from './ticks.ts'

type Row = Readonly<Record<string, string>>

const folder = process.env['JTS_RECORDINGS']!
const PRICES = ['open', 'high', 'low', 'close'] as const

function rows(file: string): Row[] {
  const [header, ...lines] = gunzipSync(readFileSync(join(folder, file)))
    .toString('utf8')
    .trimEnd()
    .split('\n')
  const names = header!.split(',')
  return lines.map((line) => {
    const cells = line.split(',')
    return Object.fromEntries(names.map((name, i) => [name, cells[i]!]))
  })
}

const won = (text: string): Units => BigInt(text) * ONE

function gridOf(date: string) {
  const tickBands = krxTickBands('KOSPI', 'stock', date)
  return { tickSize: tickBands[0]!.tickSize, tickBands }
}

describe('recorded sessions of the KRX', () => {
  const samsung = rows('krx-005930-1d-2018to2026.csv.gz')

  it('were held on every trading day of the calendar and on no other', () => {
    const calendar = new KrxCalendar()
    let expected = samsung[0]!['date']!
    for (const { date } of samsung) {
      assert.equal(date, expected)
      expected = calendar.tradingDayAfter(expected)
    }
  })

  it('had prices on the tick of their time, over the change of January 2023', () => {
    for (const row of samsung) {
      for (const name of PRICES) {
        assert.ok(isOnTick(gridOf(row['date']!), won(row[name]!)), `${row['date']} ${name} ${row[name]}`)
      }
    }
  })

  it('had all 917 KOSPI issues of 2021-01-22 on the tick', () => {
    const issues = rows('krx-kospi-all-1d-2021-01-22.csv.gz')
    assert.equal(issues.length, 917)
    for (const row of issues) {
      for (const name of PRICES) {
        assert.ok(isOnTick(gridOf('2021-01-22'), won(row[name]!)), `${row['code']} ${name} ${row[name]}`)
      }
    }
  })

  it('kept within the price limits of the day', () => {
    samsung.forEach((row, i) => {
      if (i === 0) return
      const date = row['date']!
      const { priceMin, priceMax } = krxPriceLimits(won(samsung[i - 1]!['close']!), gridOf(date), 'KOSPI', date)
      assert.ok(won(row['low']!) >= priceMin && won(row['high']!) <= priceMax, date)
    })
  })
})
