/** Rules of markets that close, limit the day's prices and restrict single issues: the KRX. Others pass them at a glance. */
import type { Restriction } from '../instruments.ts'
import { KrxError } from '../krx/kst.ts'
import { refusedIn, takesOrders, type Session } from '../krx/sessions.ts'
import { formatUnits } from '../numbers.ts'
import { limitsHold } from './risk-question.ts'
import type { DenialCode } from './risk-types.ts'
import { deny, type RiskRule } from './rule.ts'

/** What each restriction means for an order. */
const MEANINGS: Readonly<Record<Restriction, { readonly code: DenialCode; readonly words: string }>> = {
  halted: { code: 'INSTRUMENT_HALTED', words: 'halted by the exchange' },
  unlisted: { code: 'LISTING_UNKNOWN', words: 'not yet told by its broker: share, ETF or what else it is' },
  managed: { code: 'INSTRUMENT_MANAGED', words: 'a managed issue' },
  caution: { code: 'INSTRUMENT_CAUTION', words: 'under investment caution' },
  warning: { code: 'INSTRUMENT_WARNING', words: 'under an investment warning' },
  danger: { code: 'INSTRUMENT_DANGER', words: 'designated as investment danger' },
  delisting: { code: 'INSTRUMENT_DELISTING', words: 'about to be delisted' },
  'volatility-interruption': { code: 'VOLATILITY_INTERRUPTION', words: 'in a volatility interruption' },
}

export const MARKET_HOURS_RULES: readonly RiskRule[] = [
  {
    name: 'session',
    check: ({ intent, instrument, sessions, nowUs }) => {
      if (instrument.sessions === undefined || sessions === undefined) return undefined
      let session: Session | undefined
      try {
        session = sessions.at(nowUs, instrument.sessions)
      } catch (error) {
        if (!(error instanceof KrxError)) throw error
        return deny('SESSION_UNKNOWN', error.message)
      }
      if (session === undefined || !takesOrders(session.phase)) {
        const found = session === undefined ? 'it closed' : `${session.phase} trading`
        return deny('SESSION_CLOSED', `expected ${instrument.sessions} to be open for ${instrument.id}, found ${found}`)
      }
      const refused = refusedIn(session.phase, intent)
      if (refused === undefined) return undefined
      return deny(
        'SESSION_PHASE',
        `expected ${instrument.id} in continuous trading for ${refused}, found ${session.phase}`,
      )
    },
  },
  {
    name: 'price-limits',
    check: ({ intent, instrument, nowUs }) => {
      const { limitPrice } = intent
      const { priceMin, priceMax } = instrument
      if (limitPrice === undefined || priceMin === undefined || priceMax === undefined) return undefined
      if (limitPrice >= priceMin && limitPrice <= priceMax) return undefined
      if (!limitsHold(instrument, nowUs)) return undefined
      return deny(
        'PRICE_LIMIT',
        `expected a price from ${formatUnits(priceMin)} to ${formatUnits(priceMax)} today, found ${formatUnits(limitPrice)}`,
      )
    },
  },
  {
    // Selling what one holds is allowed as long as the exchange trades it at all.
    name: 'restrictions',
    check: ({ intent, instrument, limits }) => {
      if (instrument.restrictions === undefined) return undefined
      for (const restriction of instrument.restrictions) {
        if (restriction !== 'halted') {
          const allowed: readonly Restriction[] = limits.restrictionsAllowed ?? []
          if (intent.side === 'sell' || allowed.includes(restriction)) continue
        }
        const { code, words } = MEANINGS[restriction]
        return deny(code, `expected ${instrument.id} to trade freely, found it ${words}`)
      }
      return undefined
    },
  },
]
