/** Candles for the screen where strategies run on trades and no bars come in: each grows trade by trade. */
import type { CandleView } from '@jts/api-gateway'
import type { Payload } from '@jts/contracts'
import { timeframeUs } from '@jts/model'

export const TRADE_CANDLES = '1m'
const LENGTH_US = timeframeUs(TRADE_CANDLES)

export class TradeCandles {
  /** Each instrument's candle as it is; the one in whose middle we began is not told, since it is not whole. */
  readonly #growing = new Map<string, { readonly candle: CandleView; readonly isWhole: boolean }>()

  /** What this trade has changed: the candle that it ends, the one that it belongs to. */
  take({ instrument, timeUs, price, quantity }: Payload<'PublicTrade'>): CandleView[] {
    const before = this.#growing.get(instrument)
    const openTimeUs = timeUs - (timeUs % LENGTH_US)
    const isSame = before !== undefined && openTimeUs <= before.candle.openTimeUs
    const candle = isSame
      ? {
          ...before.candle,
          high: Math.max(before.candle.high, price),
          low: Math.min(before.candle.low, price),
          close: price,
          volume: before.candle.volume + quantity,
        }
      : {
          ...{ instrument, timeframe: TRADE_CANDLES, openTimeUs, final: false },
          ...{ open: price, high: price, low: price, close: price, volume: quantity },
        }
    const isWhole = isSame ? before.isWhole : before !== undefined
    this.#growing.set(instrument, { candle, isWhole })
    if (!isWhole) return []
    return isSame || before?.isWhole !== true ? [candle] : [{ ...before.candle, final: true }, candle]
  }
}
