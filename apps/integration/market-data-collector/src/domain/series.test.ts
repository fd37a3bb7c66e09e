/** Which bar of a Korean share comes next, by the hours that are configured. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { instrumentId, krxDayBar, krxSessionsOf, type Bar, type KrxHours } from '@jts/model'
import { BarSeries, type SeriesDecision } from './series.ts'

const SAMSUNG = instrumentId('KRX:005930')
const day = (date: string): Bar => ({ instrument: SAMSUNG, timeframe: '1d', ...krxDayBar(date) }) as Bar

const rows: [name: string, hours: KrxHours, before: string, next: string, decision: SeriesDecision][] = [
  ['a day that is not there is a gap', {}, '2026-02-11', '2026-02-13', 'gap'],
  ['one that is configured as closed is none', { holidays: ['2026-02-12'] }, '2026-02-11', '2026-02-13', 'publish'],
  ['beyond the shipped holidays nothing is said to be missing', {}, '2027-02-03', '2027-02-05', 'publish'],
  ['beyond them, where they are configured, it is', { knownTo: '2027-12-31' }, '2027-02-03', '2027-02-05', 'gap'],
]
for (const [name, hours, before, next, decision] of rows) {
  it(name, () => {
    const series = new BarSeries(SAMSUNG, '1d', false, krxSessionsOf(hours))
    series.take(day(before))
    assert.equal(series.decide(day(next)), decision)
  })
}
