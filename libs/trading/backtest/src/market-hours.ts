/** When an order would be asked about live where the market closes, so that risk answers a backtest as it would then. */
import {
  instrumentVenue,
  KrxSessions,
  kstDateOf,
  kstInstantUs,
  orderNotBeforeUs,
  secondsOfTime,
  timeframeUs,
  type Instrument,
  type OrderKind,
  type RecordedMarket,
} from '@jts/model'

const DAY_US = timeframeUs('1d')
/** A bar is known when its last instant, which it is stamped with, is over: after the day's last one, nothing is open. */
const HEARD_AFTER_US = 1000

/** Undefined where nothing closes: whoever trades only there pays nothing for it. */
export function sessionsFor(markets: readonly RecordedMarket[]): KrxSessions | undefined {
  return markets.some(({ instrument }) => instrumentVenue(instrument) === 'KRX') ? new KrxSessions() : undefined
}

export class MarketHours {
  readonly #instrument: Instrument
  readonly #timeframe: string
  readonly #sessions: KrxSessions

  constructor(instrument: Instrument, timeframe: string, sessions: KrxSessions) {
    this.#instrument = instrument
    this.#timeframe = timeframe
    this.#sessions = sessions
  }

  /**
   * When risk is asked what this bar has caused, µs. Nothing of this market happens between the close and then, so the answer is the
   * one that waiting would bring. @throws KrxError when it is not known when the exchange takes orders next
   */
  uponBarUs(closeTimeUs: number, kind: OrderKind): number {
    const bar = { timeframe: this.#timeframe, closeTimeUs }
    return orderNotBeforeUs(bar, this.#instrument, kind, this.#sessions) ?? closeTimeUs + HEARD_AFTER_US
  }

  /**
   * The same for what a fill has caused. A recording of days stamps fills with the bar's first or last instant, and does not know at
   * which hour of continuous trading they came: on a late day the first is before the opening, the last is in the closing auction.
   */
  uponFillUs(timeUs: number): number {
    if (timeframeUs(this.#timeframe) < DAY_US) return timeUs
    const date = kstDateOf(timeUs)
    const { sessions: venue } = this.#instrument
    const trading = this.#sessions.of(date).find((one) => one.venue === venue && one.phase === 'continuous')
    if (trading === undefined) return timeUs
    const lastUs = kstInstantUs(date, secondsOfTime(trading.to)) - 1
    return Math.min(Math.max(timeUs, kstInstantUs(date, secondsOfTime(trading.from))), lastUs)
  }

  /** Until when the price of a bar was the newest, µs: a recorded day is stamped as if each ended at 15:30, and some go on for longer. */
  pricedUs(closeTimeUs: number): number {
    if (timeframeUs(this.#timeframe) < DAY_US) return closeTimeUs
    const date = kstDateOf(closeTimeUs)
    const { sessions: venue } = this.#instrument
    const last = this.#sessions.of(date).findLast((one) => one.venue === venue && one.phase === 'closing-auction')
    return last === undefined
      ? closeTimeUs
      : Math.max(closeTimeUs, kstInstantUs(date, secondsOfTime(last.to)) - HEARD_AFTER_US)
  }
}
