/** What a broker says without being traded with. */
import { TIMEFRAMES, timeframeUs, type InstrumentId } from '@jts/model'
import { CAPABILITY_TABLE } from '../../capability-table.ts'
import { BrokerError } from '../../port.ts'
import { expectEqual, expectSoon, expectTrue, missingFrom, Unmet, type SuiteCase, type SuiteTarget } from '../suite.ts'

const group = 'reading'
const needs = 'read'

/** The shortest timeframe of a minute or more that the broker has. */
export function timeframeOf({ market }: SuiteTarget): string {
  const known = market.capabilities.timeframes ?? ['1m']
  // One that we have a name for; a broker may have others.
  const found = known
    .filter((one) => (TIMEFRAMES[one] ?? 0) >= 60_000_000)
    .sort((a, b) => timeframeUs(a) - timeframeUs(b))[0]
  if (found === undefined) throw new Unmet('timeframes', 'one of a minute or more', known)
  return found
}

export const READING: readonly SuiteCase[] = [
  {
    ...{ group, needs },
    title: 'the broker states no less than the capability table has',
    run: ({ broker }) => {
      const table = CAPABILITY_TABLE[broker.capabilities.broker]
      if (table === undefined) {
        throw new Unmet('broker', `one of ${Object.keys(CAPABILITY_TABLE).join(', ')}`, broker.capabilities.broker)
      }
      expectEqual('not supported without leave', missingFrom(broker.capabilities, table), [])
      return Promise.resolve()
    },
  },
  {
    ...{ group, needs },
    title: 'the instrument is listed, with steps above zero',
    run: async ({ market, instrument }) => {
      const found = await market.instruments([instrument])
      expectEqual(
        'instruments',
        found.map(({ id }) => id),
        [instrument],
      )
      const { lotSize, tickSize, quantityMin, notionalMin } = found[0]!
      expectTrue('steps above zero', lotSize > 0n && tickSize > 0n && quantityMin >= 0n && notionalMin >= 0n, found[0])
    },
  },
  {
    ...{ group, needs },
    title: 'an instrument that is not listed is an error, not an empty answer',
    run: async ({ market, instrument }) => {
      const absent = `${instrument.split(':')[0]}:NOSUCH99` as InstrumentId
      const found = await market.instruments([absent]).catch((error: unknown) => error)
      expectTrue('a BrokerError', found instanceof BrokerError, found)
    },
  },
  {
    ...{ group, needs },
    title: 'candles are closed, oldest first, and within what was asked for',
    run: async (target) => {
      const { market, instrument, clock } = target
      const timeframe = timeframeOf(target)
      const bars = await market.candles({ instrument, timeframe, limit: 5 })
      expectTrue('1 to 5 bars', bars.length >= 1 && bars.length <= 5, bars.length)
      bars.forEach((bar, index) => {
        expectTrue('final', bar.final, bar)
        expectEqual('instrument', bar.instrument, instrument)
        expectEqual('timeframe', bar.timeframe, timeframe)
        expectTrue('open before close', bar.openTimeUs < bar.closeTimeUs, bar)
        expectTrue(
          'low ≤ open, close ≤ high',
          bar.low <= Math.min(bar.open, bar.close) && Math.max(bar.open, bar.close) <= bar.high,
          bar,
        )
        if (index > 0) expectTrue('rising open times', bars[index - 1]!.openTimeUs < bar.openTimeUs, bars)
      })
      const last = bars.at(-1)!
      expectTrue('closed', last.closeTimeUs < clock.nowUs() + 2 * timeframeUs(timeframe), last)
      const again = await market.candles({
        instrument,
        timeframe,
        fromUs: bars[0]!.openTimeUs,
        toUs: bars[0]!.openTimeUs,
      })
      expectEqual('both bounds inclusive', again, bars.slice(0, 1))
    },
  },
  {
    ...{ group, needs },
    title: 'public trades go on after the one named',
    supported: ({ trades }) => trades,
    run: async ({ market, instrument }) => {
      const latest = await market.trades({ instrument, limit: 3 })
      expectTrue('1 to 3 trades', latest.length >= 1 && latest.length <= 3, latest.length)
      if (latest.length < 2) return
      const next = await market.trades({ instrument, afterTradeId: latest[0]!.tradeId, limit: 1 })
      expectEqual('the one after the first', next, latest.slice(1, 2))
    },
  },
  {
    ...{ group, needs },
    title: 'a quote names the best bid below the best ask',
    supported: ({ quotes }) => quotes,
    run: async ({ market, instrument }) => {
      const [quote] = (await market.quotes?.([instrument])) ?? []
      expectEqual('instrument', quote?.instrument, instrument)
      const { bidPrice = 0, askPrice = Infinity } = quote!
      expectTrue('bid below ask', bidPrice < askPrice, quote)
    },
  },
  {
    ...{ group, needs },
    title: 'the order book is best first on both sides',
    supported: ({ orderBook }) => orderBook,
    run: async ({ market, instrument }) => {
      const book = await market.orderBook?.({ instrument, depth: 5 })
      if (book === undefined) throw new Unmet('order book', 'one', undefined)
      const { bids, asks } = book
      expectTrue('at most 5 levels', bids.length <= 5 && asks.length <= 5, book)
      const prices = [...bids.toReversed(), ...asks].map(({ price }) => price)
      expectTrue(
        'rising from the worst bid to the worst ask',
        prices.every((price, i) => i === 0 || prices[i - 1]! < price),
        prices,
      )
    },
  },
  {
    ...{ group, needs },
    title: 'balances name each currency once',
    run: async ({ broker }) => {
      const balances = await broker.balances()
      const names = balances.map(({ currency }) => currency)
      expectEqual('currencies', names.length, new Set(names).size)
      expectTrue(
        'nothing locked below zero',
        balances.every(({ locked }) => locked >= 0n),
        balances,
      )
    },
  },
  {
    ...{ group, needs },
    title: 'positions name each instrument once',
    supported: ({ positions }) => positions,
    run: async ({ broker }) => {
      const names = ((await broker.positions?.()) ?? []).map(({ instrument }) => instrument)
      expectEqual('instruments', names.length, new Set(names).size)
    },
  },
  {
    ...{ group, needs },
    title: "the venue's clock is known to ten seconds",
    run: ({ broker }) => {
      expectTrue('an offset below 10 s', Math.abs(broker.clockOffsetUs()) < 10_000_000, broker.clockOffsetUs())
      return Promise.resolve()
    },
  },
  {
    ...{ group, needs },
    title: 'the venue says its own time, where that is to prove something',
    supported: ({ absenceProof }) => absenceProof === 'receive-window',
    run: async ({ broker, clock }) => {
      const believedUs = clock.nowUs() + broker.clockOffsetUs()
      const saidUs = (await broker.venueTimeUs?.()) ?? NaN
      expectTrue('its time within 10 s of what we believe', Math.abs(saidUs - believedUs) < 10_000_000, saidUs)
    },
  },
  {
    ...{ group, needs },
    title: 'trades stream, in the order of their ids',
    supported: ({ streams }) => streams.includes('trades'),
    run: async ({ market, instrument, clock }) => {
      const times: number[] = []
      const states: string[] = []
      const stream = market.subscribe([{ instrument }], {
        onBar: () => undefined,
        onTrade: ({ timeUs }) => times.push(timeUs),
        onMarketStream: (state) => states.push(state),
      })
      try {
        await expectSoon(clock, 'the stream is up', () => states.at(-1) === 'up')
        await expectSoon(clock, 'two trades', () => times.length >= 2, 60_000)
        expectEqual(
          'times',
          times.toSorted((a, b) => a - b),
          times,
        )
      } finally {
        await stream.stop()
      }
    },
  },
]
