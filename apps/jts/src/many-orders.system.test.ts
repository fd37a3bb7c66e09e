/**
 * More orders on one bar than the venue takes in ten seconds: market time stands meanwhile, so waiting for room would be for ever.
 * What finds no room is denied and said; everything else is placed, and the replay comes to its end.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runJts, writeSyntheticBars } from '@jts/testkit'
import { openLog } from './open-log.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-many-orders-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const ORDERS = 150
/** https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits: 100 orders in ten seconds. */
const IN_TEN_SECONDS = 100

writeFileSync(
  join(folder, 'many.ts'),
  `import { defineStrategy } from '@jts/strategy-kit'
export default defineStrategy({
  name: 'many',
  parameters: {},
  state: () => ({ bars: 0, orders: [] as number[] }),
  onBar(bar, { state, buy, cancel }) {
    state.bars++
    if (state.bars === 3) {
      for (let n = 0; n < ${ORDERS}; n++) state.orders.push(buy('0.001', { limit: Math.floor(bar.close / 2) - n }))
    }
    if (state.bars === 6) for (const order of state.orders) cancel(order)
    if (state.bars === 8) buy('0.01')
  },
})
`,
)

test('a strategy that places 150 orders on one bar does not stall its replay', async () => {
  const data = writeSyntheticBars(join(folder, 'BTCUSDT-1m-4.csv'), { bars: 12, seed: 4, priceStart: 40_000 })
  const dir = join(folder, 'data')
  const args = ['--replay', data, '--strategy', join(folder, 'many.ts'), '--until-end', '--json', '--data-dir', dir]
  const run = await runJts(['up', ...args])
  assert.equal(run.code, 0, run.stderr)
  const { bars, signals, fills, reconciled } = JSON.parse(run.stdout) as Record<string, unknown>
  assert.deepEqual({ bars, signals, fills, reconciled }, { bars: 12, signals: ORDERS + 1, fills: 1, reconciled: true })
  const counts = new Map<string, number>()
  const { log, close } = await openLog(dir)
  for await (const event of log.read('orders.events')) {
    const name = event.type === 'OrderDenied' ? event.payload.reasonCode : event.type
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  await close()
  const placed = counts.get('OrderAccepted')!
  assert.ok(placed > 1 && placed <= IN_TEN_SECONDS + 1, `${placed} placed`)
  assert.equal(placed + counts.get('RATE_BUDGET')!, ORDERS + 1, JSON.stringify([...counts]))
  assert.equal(counts.get('OrderCancelled'), placed - 1)
  assert.equal(counts.get('OrderUnknown'), undefined)
})
