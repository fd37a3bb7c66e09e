/** When an order would be asked about live where the market closes, so that risk answers a backtest as it would then. */
import {
  instrumentVenue,
  KrxSessions,
  orderNotBeforeUs,
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
   * The instrument as risk is to judge it. A recording of days does not say at what hour of a day an order filled, so what its
   * strategy wants upon a fill is not held against the hour; what it wants upon a bar is asked about when orders are taken.
   */
  get judged(): Instrument {
    if (timeframeUs(this.#timeframe) < DAY_US) return this.#instrument
    const { sessions: _, ...others } = this.#instrument
    return others
  }

  /**
   * When risk is asked what this bar has caused, µs. Nothing of this market happens between the close and then, so the answer is the
   * one that waiting would bring. @throws KrxError when it is not known when the exchange takes orders next
   */
  askedUs(closeTimeUs: number, kind: OrderKind): number {
    const bar = { timeframe: this.#timeframe, closeTimeUs }
    return orderNotBeforeUs(bar, this.#instrument, kind, this.#sessions) ?? closeTimeUs + HEARD_AFTER_US
  }
}
