/** Everything the rules look at for one intent, worked out once. One object is reused for every check. */
import {
  ONE,
  ceilToStep,
  divide,
  floorToStep,
  formatUnits,
  unitsFromFloat,
  unitsToFloat,
  type Units,
} from '../numbers.ts'
import type { Instrument } from '../instruments.ts'
import { kstDateOf, KrxError } from '../krx/kst.ts'
import { openingAuctionUntilUs } from '../krx/order-times.ts'
import type { KrxSessions } from '../krx/sessions.ts'
import type { Hold } from './holds.ts'
import type { RiskIntent, RiskLimits, TradingState } from './risk-types.ts'

/** The market as risk sees it: float64 on every bar, made exact only where an order is judged. */
export class RiskMarket {
  readonly instrument: Instrument
  /** NaN before the first price. */
  lastPrice = NaN
  lastTimeUs = NaN
  /** Infinity where the venue sets none. */
  readonly notionalMax: number

  constructor(instrument: Instrument) {
    this.instrument = instrument
    this.notionalMax = instrument.notionalMax === 0n ? Infinity : unitsToFloat(instrument.notionalMax)
  }
}

/** Longer than any closure that the KRX has had. */
const CLOSED_MAX_US = 20 * 86_400_000_000
/** For a share whose limits of the day are not known. */
const KRX_COLLAR: Units = (ONE * 130n) / 100n

export class RiskQuestion {
  intent!: RiskIntent
  market!: RiskMarket
  instrument!: Instrument
  limits!: RiskLimits
  /** Of the account. */
  tradingState: TradingState = 'active'
  /** Said of the strategy alone. */
  strategyState: TradingState = 'active'
  /** Undefined where nothing is traded that keeps hours. */
  sessions: KrxSessions | undefined = undefined
  /** What JTS itself holds the account or the instrument for. */
  hold: Hold | undefined = undefined
  nowUs = 0
  /** Cash not reserved, in the quote currency. */
  cashFree: Units = 0n
  /** Quantity held and not reserved by other sells. */
  sellable: Units = 0n
  /** At risk in this instrument before this order, in the quote currency; only where it is limited. */
  exposure: Units = 0n
  /** When the oldest of as many orders as a minute may have was approved; NaN while there were fewer. */
  rateOldestUs = NaN
  /** Market time of the same order's last approval; NaN when there was none. */
  sameOrderTimeUs = NaN
  quantity: Units = 0n
  /** The limit price; for a market order the last price. */
  price: Units = 0n
  /** The price reserved: the limit price; for a market order the last price and the collar. */
  priceWorst: Units = 0n
  notional: Units = 0n
  /** Cash that a buy may need at worst, fees reserved included. */
  cashNeeded: Units = 0n

  /** True for an order whose price only the market gives and the market has none. */
  get priceMissing(): boolean {
    return this.intent.type === 'market' && Number.isNaN(this.market.lastPrice)
  }

  /** Fills in prices, quantity, notional and need; what the books say is set by the engine. */
  measure(collarUnits: Units, feeRateUnits: Units): void {
    const { intent, instrument } = this
    const isMarket = intent.type === 'market'
    if (this.priceMissing) {
      this.price = this.priceWorst = 0n
    } else if (isMarket) {
      this.price = unitsFromFloat(this.market.lastPrice)
      this.priceWorst = worstPrice(instrument, this.price, collarUnits, this.nowUs)
    } else {
      this.price = this.priceWorst = intent.limitPrice!
    }
    if (intent.quantity !== undefined) {
      this.quantity = intent.quantity
      this.notional = (this.quantity * this.price) / ONE
      this.cashNeeded = intent.side === 'buy' ? divide(this.quantity * this.priceWorst, ONE, 'up') : 0n
    } else {
      this.notional = this.cashNeeded = intent.quoteQuantity!
      // A quote-sized sell may need more units than the last price says, down to the collar.
      const price = this.price === 0n ? ONE : this.price
      this.quantity =
        intent.side === 'buy'
          ? floorToStep((this.notional * ONE) / price, instrument.lotSize)
          : ceilToStep((this.notional * collarUnits) / price, instrument.lotSize)
    }
    if (feeRateUnits !== 0n && intent.side === 'buy')
      this.cashNeeded += divide(this.cashNeeded * feeRateUnits, ONE, 'up')
  }

  /** Of a quantity at the last price or, where there is none, at the order's own. */
  valueOf(quantity: Units): Units {
    const { lastPrice } = this.market
    const price = Number.isNaN(lastPrice) ? this.price : unitsFromFloat(lastPrice)
    return (quantity * price) / ONE
  }

  /** How old the last price is, µs, NaN without one. Where the market closes, by trading time: overnight no newer one can come. */
  get marketDataAgeUs(): number {
    const { instrument, nowUs, sessions } = this
    const { lastTimeUs } = this.market
    const ageUs = nowUs - lastTimeUs
    // Beyond that, it is too old by any measure.
    if (instrument.sessions === undefined || sessions === undefined || !(ageUs < CLOSED_MAX_US)) return ageUs
    try {
      return sessions.tradingUs(lastTimeUs, nowUs, instrument.sessions)
    } catch (error) {
      if (error instanceof KrxError) return ageUs
      throw error
    }
  }

  /** Until when the order reaches the opening auction that its signal was for (µs); undefined when it was for none. */
  get auctionUntilUs(): number | undefined {
    const { intent, instrument, sessions } = this
    return sessions === undefined ? undefined : openingAuctionUntilUs(intent.signalTimeUs, instrument, sessions)
  }

  /** Used share of the tightest limit, 0..1: a figure for people and screens, so float64 will do. */
  riskScore(): number {
    const { market, limits, intent } = this
    const quantity = unitsToFloat(this.quantity)
    const price = intent.type === 'market' ? market.lastPrice : unitsToFloat(this.price)
    const notional = intent.quantity === undefined ? unitsToFloat(this.notional) : quantity * price
    let used = notional / market.notionalMax
    if (limits.notionalMaxPerOrder !== undefined) {
      used = Math.max(used, notional / unitsToFloat(limits.notionalMaxPerOrder))
    }
    if (limits.exposureMaxPerInstrument !== undefined && intent.side === 'buy') {
      used = Math.max(used, (unitsToFloat(this.exposure) + notional) / unitsToFloat(limits.exposureMaxPerInstrument))
    }
    if (intent.side === 'sell') used = Math.max(used, quantity / unitsToFloat(this.sellable))
    else used = Math.max(used, unitsToFloat(this.cashNeeded) / unitsToFloat(this.cashFree))
    // Nothing at hand makes it infinite, overdrawn cash negative, a missing price not a number: all as bad as can be.
    return used >= 0 && used <= 1 ? used : 1
  }

  /** For reasons: amounts with their currency. */
  base(units: Units): string {
    return `${formatUnits(units)} ${this.instrument.baseCurrency}`
  }

  quote(units: Units): string {
    return `${formatUnits(units)} ${this.instrument.quoteCurrency}`
  }
}

/** What a market buy may cost at most: the day's upper limit, as Korean brokers reserve it; elsewhere the collar. */
function worstPrice(instrument: Instrument, price: Units, collarUnits: Units, nowUs: number): Units {
  if (instrument.priceMax !== undefined && limitsHold(instrument, nowUs)) return instrument.priceMax
  const isKrx = instrument.listing !== undefined || instrument.sessions !== undefined
  return (price * (isKrx ? KRX_COLLAR : collarUnits)) / ONE
}

/** Yesterday's limits say nothing about today. */
export function limitsHold({ priceLimitsDate }: Instrument, nowUs: number): boolean {
  return priceLimitsDate === undefined || priceLimitsDate === kstDateOf(nowUs)
}
