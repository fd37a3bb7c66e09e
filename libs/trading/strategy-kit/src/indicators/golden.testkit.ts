/** Compares SMA, EMA, RSI and ATR with a CSV of published values (columns by header; an empty cell is warm-up). */
import assert from 'node:assert/strict'
import { atr, ema, rsi, sma } from './index.ts'

/** Relative difference that the order of additions alone can make. */
const TOLERANCE = 1e-12

/** The number of days compared. */
export function compareWithGolden(csv: string): number {
  const [header, ...rows] = csv.trim().split('\n')
  const columns = header!.split(',')
  const made = { sma20: sma(20), ema20: ema(20), rsi14: rsi(14), atr14: atr(14) }
  for (const row of rows) {
    const cells = row.split(',')
    const cell = (name: string): string => cells[columns.indexOf(name)]!
    const close = Number(cell('close'))
    made.sma20.update(close)
    made.ema20.update(close)
    made.rsi14.update(close)
    made.atr14.update({ high: Number(cell('high')), low: Number(cell('low')), close })
    for (const [name, indicator] of Object.entries(made)) {
      const expected = cell(name)
      if (expected === '') assert.ok(Number.isNaN(indicator.value), `${cell('date')} ${name}: expected warm-up`)
      else {
        const difference = Math.abs(indicator.value - Number(expected))
        assert.ok(
          difference <= TOLERANCE * Math.abs(Number(expected)),
          `${cell('date')} ${name}: expected ${expected}, found ${indicator.value}`,
        )
      }
    }
  }
  return rows.length
}
