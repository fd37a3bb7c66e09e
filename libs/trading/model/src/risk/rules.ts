/**
 * The rules, in the order in which they are asked; the first that objects denies. A new rule is one more row, and its
 * limit one more field of `RiskLimits`.
 */
import { kstText } from '../krx/kst.ts'
import { formatUnits, ONE, unitsFromFloat } from '../numbers.ts'
import { tickSizeAt } from '../tick-size.ts'
import { MARKET_HOURS_RULES } from './market-hours-rules.ts'
import { deny, type RiskRule } from './rule.ts'

export type { Denial, RiskRule } from './rule.ts'

const MINUTE_US = 60_000_000

export const RISK_RULES: readonly RiskRule[] = [
  {
    name: 'trading-state',
    check: ({ tradingState, strategyState, hold, intent }) => {
      if (tradingState === 'halted') return deny('TRADING_HALTED', 'expected trading to be active, found halted')
      if (strategyState === 'halted') {
        return deny('STRATEGY_HALTED', `expected strategy ${intent.strategy} to be active, found it halted`)
      }
      if (hold !== undefined && intent.side === 'buy') return deny(hold.code, hold.reason)
      if (tradingState === 'reducing' && intent.side === 'buy') {
        return deny('TRADING_REDUCING', 'expected an order that reduces the position while reducing, found a buy')
      }
      if (strategyState === 'reducing' && intent.side === 'buy') {
        return deny(
          'STRATEGY_REDUCING',
          `expected an order that reduces the position while strategy ${intent.strategy} is reducing, found a buy`,
        )
      }
      return undefined
    },
  },
  {
    name: 'tradable',
    check: ({ instrument }) =>
      instrument.tradable
        ? undefined
        : deny('INSTRUMENT_NOT_TRADABLE', `expected ${instrument.id} to be tradable, found that it is not`),
  },
  {
    name: 'tick-size',
    check: ({ intent, instrument }) => {
      const { limitPrice } = intent
      if (limitPrice === undefined) return undefined
      const tickSize = tickSizeAt(instrument, limitPrice)
      if (limitPrice % tickSize === 0n) return undefined
      return deny(
        'TICK_SIZE',
        `expected a price in steps of ${formatUnits(tickSize)}, found ${formatUnits(limitPrice)}`,
      )
    },
  },
  ...MARKET_HOURS_RULES,
  {
    name: 'lot-size',
    check: ({ quantity, instrument }) =>
      quantity % instrument.lotSize === 0n
        ? undefined
        : deny(
            'LOT_SIZE',
            `expected a quantity in steps of ${formatUnits(instrument.lotSize)}, found ${formatUnits(quantity)}`,
          ),
  },
  {
    name: 'quantity-min',
    check: (q) =>
      q.quantity > 0n && q.quantity >= q.instrument.quantityMin
        ? undefined
        : deny('QUANTITY_MIN', `expected at least ${q.base(q.instrument.quantityMin)}, found ${q.base(q.quantity)}`),
  },
  {
    name: 'quantity-max',
    check: (q) => {
      const { quantityMax, marketQuantityMax } = q.instrument
      const ofMarket = q.intent.type === 'market' && marketQuantityMax !== 0n
      const max = ofMarket ? marketQuantityMax : quantityMax
      if (max === 0n || q.quantity <= max) return undefined
      return deny('QUANTITY_MAX', `expected at most ${q.base(max)}, found ${q.base(q.quantity)}`)
    },
  },
  {
    name: 'stale-signal',
    check: (q) => {
      const { limits, intent, nowUs } = q
      const max = limits.signalAgeMaxUs
      const age = nowUs - intent.signalTimeUs
      if (max === undefined || age <= max) return undefined
      const { auctionUntilUs } = q
      if (auctionUntilUs !== undefined && nowUs < auctionUntilUs) return undefined
      const inTime =
        auctionUntilUs === undefined ? '' : `, or in time for the opening auction until ${kstText(auctionUntilUs)}`
      return deny('STALE_SIGNAL', `expected a signal of at most ${max / 1e6} s${inTime}, found one of ${age / 1e6} s`)
    },
  },
  {
    name: 'market-price',
    check: (q) =>
      q.priceMissing
        ? deny('NO_MARKET_PRICE', `expected a last price of ${q.instrument.id} to judge a market order by, found none`)
        : undefined,
  },
  {
    name: 'stale-market-data',
    check: (q) => {
      const max = q.limits.marketDataAgeMaxUs
      if (max === undefined) return undefined
      const age = q.marketDataAgeUs
      if (age <= max) return undefined
      const found = Number.isNaN(age) ? 'none' : `one of ${age / 1e6} s`
      return deny(
        'STALE_MARKET_DATA',
        `expected a price of ${q.instrument.id} of at most ${max / 1e6} s, found ${found}`,
      )
    },
  },
  {
    name: 'duplicate-order',
    check: ({ limits, sameOrderTimeUs, nowUs }) => {
      const window = limits.duplicateWindowUs
      const since = nowUs - sameOrderTimeUs
      if (window === undefined || !(since < window)) return undefined
      return deny(
        'DUPLICATE_ORDER',
        `expected no equal order within ${window / 1e6} s, found one approved ${since / 1e6} s before`,
      )
    },
  },
  {
    name: 'order-rate',
    check: ({ limits, intent, rateOldestUs, nowUs }) => {
      const max = limits.ordersPerMinuteMax
      const since = nowUs - rateOldestUs
      if (max === undefined || intent.side === 'sell' || !(since < MINUTE_US)) return undefined
      return deny('ORDER_RATE', `expected at most ${max} orders a minute, found ${max} in the last ${since / 1e6} s`)
    },
  },
  {
    name: 'notional-min',
    check: (q) =>
      q.notional >= q.instrument.notionalMin
        ? undefined
        : deny('NOTIONAL_MIN', `expected at least ${q.quote(q.instrument.notionalMin)}, found ${q.quote(q.notional)}`),
  },
  {
    name: 'notional-max',
    check: (q) => {
      const max = q.instrument.notionalMax
      if (max === 0n || q.notional <= max) return undefined
      return deny('NOTIONAL_MAX', `expected at most ${q.quote(max)}, found ${q.quote(q.notional)}`)
    },
  },
  {
    name: 'notional-max-per-order',
    check: (q) => {
      const max = q.limits.notionalMaxPerOrder
      if (max === undefined || q.notional <= max) return undefined
      return deny('NOTIONAL_MAX_PER_ORDER', `expected at most ${q.quote(max)} an order, found ${q.quote(q.notional)}`)
    },
  },
  {
    name: 'price-collar',
    check: (q) => {
      const { limitPrice, side } = q.intent
      const { lastPrice } = q.market
      const collar = q.limits.priceCollar
      if (collar === undefined || limitPrice === undefined || Number.isNaN(lastPrice)) return undefined
      const last = unitsFromFloat(lastPrice)
      const away = (last * unitsFromFloat(collar)) / ONE
      const bound = side === 'buy' ? last + away : last - away
      if (side === 'buy' ? limitPrice <= bound : limitPrice >= bound) return undefined
      const found = `found ${formatUnits(limitPrice)} with a last price of ${formatUnits(last)}`
      return deny(
        'PRICE_COLLAR',
        `expected a price of at ${side === 'buy' ? 'most' : 'least'} ${formatUnits(bound)}, ${found}`,
      )
    },
  },
  {
    // What reduces is never kept back by a cap.
    name: 'exposure-max-per-instrument',
    check: (q) => {
      const max = q.limits.exposureMaxPerInstrument
      if (max === undefined || q.intent.side === 'sell' || q.exposure + q.notional <= max) return undefined
      return deny(
        'EXPOSURE_MAX_PER_INSTRUMENT',
        `expected at most ${q.quote(max)} in ${q.instrument.id}, found ${q.quote(q.exposure)} and an order of ${q.quote(q.notional)}`,
      )
    },
  },
  {
    name: 'cash',
    check: (q) =>
      q.intent.side === 'sell' || q.cashNeeded <= q.cashFree
        ? undefined
        : deny(
            'INSUFFICIENT_CASH',
            `expected ${q.quote(q.cashNeeded)} (${formatUnits(q.quantity)} at ${formatUnits(q.priceWorst)} at worst), found ${q.quote(q.cashFree)} not reserved`,
          ),
  },
  {
    name: 'sellable-quantity',
    check: (q) =>
      q.intent.side === 'buy' || q.quantity <= q.sellable
        ? undefined
        : deny(
            'INSUFFICIENT_POSITION',
            `expected ${q.base(q.quantity)}, found ${q.base(q.sellable)} held and not reserved`,
          ),
  },
]
