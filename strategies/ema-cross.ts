/** Two exponential moving averages: in when the fast one rises through the slow one, out when it falls back through it. */
import { crossedAbove, crossedBelow, defineStrategy, ema, integer, quantity } from '@jts/strategy-kit'

export default defineStrategy({
  name: 'ema-cross',
  description:
    'Buys when the fast EMA crosses above the slow one, sells the position when it crosses below. Long only.',
  parameters: {
    fast: integer({ default: 10, min: 1, max: 500 }),
    slow: integer({ default: 20, min: 2, max: 1000 }),
    quantity: quantity({ default: '0.01' }),
  },
  state: ({ fast, slow }) => ({
    fast: ema(fast, { seed: 'first' }),
    slow: ema(slow, { seed: 'first' }),
  }),

  onBar(bar, { state, parameters, position, barCount, buy, sell }) {
    const { fast, slow } = state
    fast.update(bar.close)
    slow.update(bar.close)
    if (barCount < parameters.slow) return
    if (position.isFlat && crossedAbove(fast, slow)) buy(parameters.quantity)
    else if (position.isLong && crossedBelow(fast, slow)) sell(position.sellable)
  },
})
