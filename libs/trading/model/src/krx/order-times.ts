/**
 * When an order may go out that a bar has caused: the same rule for the strategy engine, which waits until then, and for the
 * backtest, whose order meets the next bar's open. And until when it still may, for risk, where it goes out late.
 *
 * A bar of a day or longer is heard when its day is over, so its orders are for the next one: they go into its opening auction, and
 * fill at the open. A shorter bar's orders are for now or never: who trades by minutes does not want what the last one of a day
 * said to be carried out next morning, at whatever price.
 */
import { timeframeUs, type Bar } from '../bars.ts'
import type { Instrument } from '../instruments.ts'
import { kstDateOf, kstInstantUs, KrxError, secondsOfTime, type KstDate } from './kst.ts'
import { refusedIn, takesOrders, type KrxSessions, type KrxVenue, type OrderKind } from './sessions.ts'

const DAY_US = timeframeUs('1d')
/** After the exchange begins to take orders: a clock that is a little ahead of its would be refused, and in an auction nobody is late. */
const AFTER_BEGIN_US = 5_000_000
/** Before it ends an auction: a clock that is a little behind its would send into continuous trading, to another price. */
const BEFORE_END_US = 5_000_000
/** Longer than any closure that the KRX has had; beyond it, configured sessions have no room for the order. */
const DAYS_AHEAD = 20

/**
 * Before this instant (µs) an order caused by this bar is not asked about; undefined: at once.
 * @throws KrxError when it is not known when the exchange takes orders next
 */
export function orderNotBeforeUs(
  bar: Pick<Bar, 'timeframe' | 'closeTimeUs'>,
  { sessions: venue }: Pick<Instrument, 'sessions'>,
  kind: OrderKind,
  sessions: KrxSessions,
): number | undefined {
  if (venue === undefined || timeframeUs(bar.timeframe) < DAY_US) return undefined
  let date = kstDateOf(bar.closeTimeUs)
  for (let days = 0; days < DAYS_AHEAD; days++) {
    date = sessions.calendar.tradingDayAfter(date)
    const beginsUs = takesFromUs(date, venue, kind, sessions)
    if (beginsUs !== undefined) return beginsUs + AFTER_BEGIN_US
  }
  throw new KrxError(
    `expected ${venue} to take ${kind.timeInForce} ${kind.type} orders within ${DAYS_AHEAD} trading days after ${kstDateOf(bar.closeTimeUs)}, found no such session`,
  )
}

/** When this venue first takes such an order on a date. */
function takesFromUs(date: KstDate, venue: KrxVenue, kind: OrderKind, sessions: KrxSessions): number | undefined {
  const times = sessions
    .of(date)
    .filter(({ venue: of, phase }) => of === venue && takesOrders(phase) && refusedIn(phase, kind) === undefined)
    .map(({ from }) => instantOf(date, from))
  return times.length === 0 ? undefined : Math.min(...times)
}

/**
 * Until when (µs, exclusive) an order goes into the opening auction that its signal has waited for; undefined when that waited for
 * none: its time is then another than `orderNotBeforeUs`, and it is for now or never. All orders of an auction meet one price, so
 * until then nobody is late, however long ago the auction began.
 */
export function openingAuctionUntilUs(
  signalTimeUs: number,
  { sessions: venue }: Pick<Instrument, 'sessions'>,
  sessions: KrxSessions,
): number | undefined {
  if (venue === undefined) return undefined
  const date = kstDateOf(signalTimeUs)
  if (!sessions.calendar.knows(date)) return undefined
  for (const { venue: of, phase, from, to } of sessions.of(date)) {
    if (of !== venue || phase !== 'opening-auction') continue
    if (signalTimeUs === instantOf(date, from) + AFTER_BEGIN_US) return instantOf(date, to) - BEFORE_END_US
  }
  return undefined
}

const instantOf = (date: KstDate, time: string): number => kstInstantUs(date, secondsOfTime(time))
