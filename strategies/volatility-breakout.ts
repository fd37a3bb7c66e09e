/**
 * 변동성 돌파: buy when a day's price rises above its open by a share of yesterday's range, and be out the next day. Runs on bars
 * shorter than a day.
 */
import { defineStrategy, integer, kstDay, number, quantity } from '@jts/strategy-kit'

export default defineStrategy({
  name: 'volatility-breakout',
  description:
    "Buys once a day when a bar closes above the day's open + k × yesterday's range; sells on the next day's first bar. Long only.",
  parameters: {
    k: number({ default: 0.5, min: 0.05, max: 2 }),
    quantity: quantity({ default: '1' }),
    /** Hour in Korea at which a day begins: 0 for KRX, 9 for Upbit and Binance. */
    dayStart: integer({ default: 0, min: 0, max: 23 }),
  },
  state: () => ({
    day: NaN,
    open: NaN,
    high: NaN,
    low: NaN,
    rangeBefore: NaN,
    hasBought: false,
  }),

  onBar(bar, { state, parameters, position, buy, sell }) {
    const day = kstDay(bar.openTimeUs, parameters.dayStart)
    if (day !== state.day) {
      state.rangeBefore = state.high - state.low
      state.day = day
      state.open = bar.open
      state.high = bar.high
      state.low = bar.low
      state.hasBought = false
      if (position.isLong) sell(position.sellable)
    } else {
      state.high = Math.max(state.high, bar.high)
      state.low = Math.min(state.low, bar.low)
    }
    const target = state.open + parameters.k * state.rangeBefore
    if (state.hasBought || !position.isFlat || !(bar.close > target)) return
    buy(parameters.quantity)
    state.hasBought = true
  },
})
