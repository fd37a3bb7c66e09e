/**
 * A strategy that draws its orders from a seeded state, so that it tries what a list of cases would forget. It runs on bars
 * and on trades, and does the same at each price that it is shown.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const TEXT = `
import { defineStrategy, integer, type StrategyContext } from '@jts/strategy-kit'

/** The next number in [0, 1) of a small generator whose state is one integer. */
function draw(state: { random: number }): number {
  state.random = (state.random + 0x6d2b79f5) | 0
  let t = Math.imul(state.random ^ (state.random >>> 15), state.random | 1)
  t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

type S = { random: number; resting: number[] }
type P = Record<'seed' | 'hasty' | 'warmUp', ReturnType<typeof integer>>

function act(price: number, context: StrategyContext<P, S>): void {
  const { state, parameters, position, buy, sell, cancel, target } = context
  const placed: number[] = []
  const count = Math.floor(draw(state) * 3)
  for (let i = 0; i < count; i++) {
    const kind = Math.floor(draw(state) * 12)
    const isBuy = !position.isLong || draw(state) < 0.5
    const limit = price * (1 + (draw(state) - 0.5) * 0.006)
    const size = 0.01 + draw(state) * 0.05
    const amount = isBuy ? size : Math.min(size, Number(position.sellable) / 1e8)
    const order = (options: Parameters<typeof buy>[1] = {}): number =>
      amount < 0.001 ? 0 : isBuy ? buy(amount, options) : sell(amount, options)
    if (kind === 0) order()
    else if (kind === 1) placed.push(order({ limit }))
    else if (kind === 2) order({ limit, timeInForce: 'ioc' })
    else if (kind === 3) order({ limit, timeInForce: 'fok' })
    else if (kind === 4 || kind === 5) placed.push(order({ limit, makerOnly: true }))
    else if (kind === 6) buy(100 + Math.floor(draw(state) * 900), { quote: true })
    else if (kind === 7) target(draw(state) * 0.2)
    else if (kind === 8) sell(position.quantity + 1)
    else if (kind === 9) buy(100)
    else if (kind === 10 && position.isLong && position.quantity > 0.02) sell('250', { quote: true })
  }
  if (parameters.hasty === 1) state.resting.push(...placed)
  while (state.resting.length > 0 && draw(state) < 0.2) {
    cancel(state.resting.splice(Math.floor(draw(state) * state.resting.length), 1)[0]!)
  }
  if (parameters.hasty === 0) state.resting.push(...placed)
}

export default defineStrategy({
  name: 'any-order',
  parameters: { seed: integer({ default: 1 }), hasty: integer({ default: 0 }), warmUp: integer({ default: 0 }) },
  bars: { warmUp: ({ warmUp }) => warmUp },
  state: ({ seed }): S => ({ random: seed * 7919, resting: [] }),
  onBar: (bar, context) => act(bar.close, context),
  onTrade: (trade, context) => act(trade.price, context),

  onFill(fill, { state, position, buy, sell, cancel }) {
    const chance = draw(state)
    if (chance < 0.1 && position.isLong) sell(position.sellable)
    else if (chance < 0.2) buy(0.01, { limit: fill.price * (1 + (draw(state) - 0.5) * 0.004), makerOnly: draw(state) < 0.5 })
    else if (chance < 0.3) buy(0.01, { limit: fill.price, timeInForce: 'ioc' })
    else if (chance < 0.5 && state.resting.length > 0) cancel(state.resting.pop()!)
  },
})
`

/** Writes the strategy file; its parameters are `seed`, `hasty` (1: it may cancel what it has just placed) and `warmUp`, in bars. */
export function writeAnyOrder(folder: string): string {
  const file = join(folder, 'any-order.ts')
  writeFileSync(file, TEXT)
  return file
}
