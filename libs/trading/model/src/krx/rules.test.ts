/** Ticks, price limits, sessions, settlement and costs of Korean shares, as the tables of the exchange and the law have them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatUnits, ONE, parseUnits, type Units } from '../numbers.ts'
import { ceilToTick, floorToTick, isOnTick, tickSizeAt } from '../tick-size.ts'
import { barTimesUs, KrxBarClock } from './bar-clock.ts'
import { KrxCalendar } from './calendar.ts'
import { krxCosts, type KrxListing } from './costs.ts'
import { krxInstrument } from './instrument.ts'
import { kstInstantUs, KrxError, secondsOfTime } from './kst.ts'
import { krxPriceLimits } from './price-limits.ts'
import { KrxSessions } from './sessions.ts'
import { SettlementCash } from './settlement.ts'
import { krxTickBands, type KrxKind, type KrxMarket } from './ticks.ts'

const calendar = new KrxCalendar()
const won = (amount: number): Units => BigInt(amount) * ONE
const inWon = (units: Units): number => Number(formatUnits(units))
const at = (date: string, time: string): number => kstInstantUs(date, secondsOfTime(time))

function gridOf(date: string, market: KrxMarket = 'KOSPI', kind: KrxKind = 'stock') {
  const tickBands = krxTickBands(market, kind, date)
  return { tickSize: tickBands[0]!.tickSize, tickBands }
}

describe('tick sizes', () => {
  const cases: [date: string, market: KrxMarket, kind: KrxKind, price: number, tick: number][] = [
    ['2023-01-25', 'KOSPI', 'stock', 1999, 1],
    ['2023-01-25', 'KOSPI', 'stock', 2000, 5],
    ['2026-01-05', 'KOSDAQ', 'stock', 4995, 5],
    ['2026-01-05', 'KOSDAQ', 'stock', 5000, 10],
    ['2026-01-05', 'KONEX', 'stock', 19_990, 10],
    ['2026-01-05', 'KOSPI', 'stock', 20_000, 50],
    ['2026-01-05', 'KOSPI', 'stock', 50_000, 100],
    ['2026-01-05', 'KOSPI', 'stock', 199_900, 100],
    ['2026-01-05', 'KOSPI', 'stock', 200_000, 500],
    ['2026-01-05', 'KOSPI', 'stock', 499_500, 500],
    ['2026-01-05', 'KOSPI', 'stock', 500_000, 1000],
    ['2023-01-24', 'KOSPI', 'stock', 1500, 5],
    ['2023-01-24', 'KOSPI', 'stock', 15_000, 50],
    ['2023-01-24', 'KOSPI', 'stock', 150_000, 500],
    ['2023-01-24', 'KOSPI', 'stock', 500_000, 1000],
    ['2023-01-24', 'KOSDAQ', 'stock', 150_000, 100],
    ['2023-01-24', 'KONEX', 'stock', 600_000, 100],
    ['2023-12-08', 'KOSPI', 'etf', 1500, 5],
    ['2023-12-11', 'KOSPI', 'etf', 1500, 1],
    ['2026-01-05', 'KOSPI', 'etn', 2000, 5],
    ['2026-01-05', 'KOSPI', 'etf', 600_000, 5],
    ['2026-01-05', 'KOSPI', 'elw', 100, 5],
  ]
  for (const [date, market, kind, price, tick] of cases) {
    it(`${market} ${kind} at ${price} won on ${date}: ${tick} won`, () => {
      assert.equal(inWon(tickSizeAt(gridOf(date, market, kind), won(price))), tick)
    })
  }

  it('prices are brought down and up to the grid, and never past a price that is on it', () => {
    const grids = ['2022-01-05', '2026-01-05'].flatMap((date) =>
      (['KOSPI', 'KOSDAQ'] as const).map((market) => gridOf(date, market)),
    )
    fc.assert(
      fc.property(fc.constantFrom(...grids), fc.integer({ min: 1, max: 1_200_000 }), (grid, price) => {
        const down = floorToTick(grid, won(price))
        const up = ceilToTick(grid, won(price))
        assert.ok(isOnTick(grid, down) && isOnTick(grid, up), `${price}: ${down} ${up}`)
        assert.ok(down <= won(price) && won(price) <= up)
        assert.ok(up - down <= tickSizeAt(grid, won(price)))
        if (isOnTick(grid, won(price))) assert.ok(down === won(price) && up === won(price))
      }),
    )
  })
})

describe('the price limits of a day', () => {
  const cases: [base: number, date: string, market: KrxMarket, min: number, max: number][] = [
    [71_700, '2026-01-05', 'KOSPI', 50_200, 93_200],
    [10_000, '2026-01-05', 'KOSDAQ', 7000, 13_000],
    // 30 % of 9,980 is 2,994: cut to 2,990 by the base's tick of 10.
    [9980, '2022-01-05', 'KOSPI', 6990, 12_950],
    // 603 is cut to 600 by the base's tick of 5, though prices below 2,000 go by 1.
    [2010, '2026-01-05', 'KOSPI', 1410, 2610],
    [10_000, '2026-01-05', 'KONEX', 8500, 11_500],
    [10_000, '2015-06-12', 'KOSPI', 8500, 11_500],
    [1, '2026-01-05', 'KOSPI', 1, 1],
  ]
  for (const [base, date, market, min, max] of cases) {
    it(`of ${market} from ${base} won on ${date} are ${min} and ${max}`, () => {
      const { priceMin, priceMax } = krxPriceLimits(won(base), gridOf(date, market), market, date)
      assert.deepEqual([inWon(priceMin), inWon(priceMax)], [min, max])
    })
  }

  it('are on the grid and within 30 %', () => {
    const grid = gridOf('2026-01-05')
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 1_000_000 }), (price) => {
        const base = floorToTick(grid, won(price))
        const { priceMin, priceMax } = krxPriceLimits(base, grid, 'KOSPI', '2026-01-05')
        assert.ok(isOnTick(grid, priceMin) && isOnTick(grid, priceMax))
        assert.ok(priceMin <= base && base <= priceMax)
        assert.ok(priceMax * 10n <= base * 13n && priceMin * 10n >= base * 7n)
      }),
    )
  })
})

describe('sessions', () => {
  const sessions = new KrxSessions()
  const cases: [date: string, time: string, venue: 'KRX' | 'NXT', phase: string | undefined][] = [
    ['2026-01-05', '08:29:59', 'KRX', undefined],
    ['2026-01-05', '08:30', 'KRX', 'opening-auction'],
    ['2026-01-05', '09:00', 'KRX', 'continuous'],
    ['2026-01-05', '15:19:59', 'KRX', 'continuous'],
    ['2026-01-05', '15:20', 'KRX', 'closing-auction'],
    ['2026-01-05', '15:30', 'KRX', undefined],
    ['2026-01-05', '16:00', 'KRX', 'off-hours'],
    ['2026-01-05', '08:00', 'NXT', 'pre-market'],
    ['2026-01-05', '08:55', 'NXT', undefined],
    ['2026-01-05', '09:00', 'NXT', undefined],
    ['2026-01-05', '09:00:30', 'NXT', 'continuous'],
    ['2026-01-05', '15:25', 'NXT', undefined],
    ['2026-01-05', '19:59:59', 'NXT', 'after-market'],
    ['2025-03-03', '08:00', 'NXT', undefined],
    ['2026-01-03', '10:00', 'KRX', undefined],
    ['2026-02-17', '10:00', 'KRX', undefined],
    // Until August 2016 the day ended at 15:00.
    ['2016-07-29', '15:00', 'KRX', undefined],
    ['2016-07-29', '14:55', 'KRX', 'closing-auction'],
    // The first session of a year opens an hour late and closes as ever.
    ['2026-01-02', '09:30', 'KRX', 'opening-auction'],
    ['2026-01-02', '09:00', 'KRX', undefined],
    ['2026-01-02', '10:00', 'KRX', 'continuous'],
    ['2026-01-02', '15:25', 'KRX', 'closing-auction'],
    // On the day of the university entrance exam everything is an hour late; NXT has no pre-market.
    ['2025-11-13', '09:30', 'KRX', 'opening-auction'],
    ['2025-11-13', '16:19', 'KRX', 'continuous'],
    ['2025-11-13', '16:25', 'KRX', 'closing-auction'],
    ['2025-11-13', '16:30', 'KRX', undefined],
    ['2025-11-13', '17:59', 'KRX', 'off-hours'],
    ['2025-11-13', '18:00', 'KRX', undefined],
    ['2025-11-13', '08:30', 'NXT', undefined],
    ['2025-11-13', '19:59', 'NXT', 'after-market'],
  ]
  for (const [date, time, venue, phase] of cases) {
    it(`${venue} on ${date} at ${time}: ${phase ?? 'closed'}`, () => {
      assert.equal(sessions.at(at(date, time), venue)?.phase, phase)
    })
  }

  it('are replaced by configuration from a date on', () => {
    const changed = new KrxSessions({
      table: [
        { since: '2026-01-01', sessions: [{ venue: 'KRX', phase: 'continuous', from: '09:00', to: '15:30' }] },
        { since: '2026-06-29', sessions: [{ venue: 'KRX', phase: 'pre-market', from: '07:00', to: '08:00' }] },
      ],
    })
    assert.equal(changed.at(at('2026-06-26', '07:30')), undefined)
    assert.equal(changed.at(at('2026-06-29', '07:30'))?.phase, 'pre-market')
    assert.throws(
      () =>
        new KrxSessions({
          table: [{ since: '2026-01-01', sessions: [{ venue: 'KRX', phase: 'continuous', from: '16:00', to: '9' }] }],
        }),
      KrxError,
    )
    assert.throws(
      () =>
        new KrxSessions({
          table: [
            { since: '2026-01-01', sessions: [{ venue: 'KRX', phase: 'continuous', from: '16:00', to: '09:00' }] },
          ],
        }),
      { message: /to end after it begins/ },
    )
  })

  it('give a share its bars: each minute of continuous trading, and one for the closing price', () => {
    const minute = 60_000_000
    const times = barTimesUs('2026-01-05', minute, sessions)
    assert.equal(times.length, 381)
    assert.deepEqual(
      [times[0], times[379], times[380]],
      [at('2026-01-05', '09:00'), at('2026-01-05', '15:19'), at('2026-01-05', '15:29')],
    )
    const clock = new KrxBarClock(minute, sessions)
    assert.equal(clock.next(at('2026-01-05', '15:19')), at('2026-01-05', '15:29'))
    assert.equal(clock.next(at('2026-02-13', '15:29')), at('2026-02-19', '09:00'))
    assert.equal(clock.next(at('2026-02-13', '08:00')), at('2026-02-13', '09:00'))
    assert.equal(barTimesUs('2026-01-03', minute, sessions).length, 0)
  })
})

describe('costs of a share trade', () => {
  const shares = (market: KrxMarket, kind: KrxKind = 'stock'): KrxListing => ({ market, kind })
  const cases: [name: string, tradeDate: string, listing: KrxListing, tax: number][] = [
    ['KOSPI 2018: 0.15 % + 0.15 %', '2018-06-01', shares('KOSPI'), 30_000],
    ['KOSDAQ, last trade before the change of 2019', '2019-05-29', shares('KOSDAQ'), 30_000],
    ['KOSDAQ, first trade settled on 3 June 2019', '2019-05-30', shares('KOSDAQ'), 25_000],
    ['KOSPI 2021: 0.08 % + 0.15 %', '2021-06-01', shares('KOSPI'), 23_000],
    ['KOSPI 2023: 0.05 % + 0.15 %', '2023-06-01', shares('KOSPI'), 20_000],
    ['KOSPI 2024: 0.03 % + 0.15 %', '2024-12-26', shares('KOSPI'), 18_000],
    ['KOSPI, settled in 2025: 0.15 %', '2024-12-27', shares('KOSPI'), 15_000],
    ['KOSDAQ 2025', '2025-06-04', shares('KOSDAQ'), 15_000],
    ['KOSPI, settled in 2026: 0.05 % + 0.15 %', '2025-12-29', shares('KOSPI'), 20_000],
    ['KOSDAQ 2026', '2026-06-01', shares('KOSDAQ'), 20_000],
    ['KONEX 2026', '2026-06-01', shares('KONEX'), 10_000],
    ['an ETF', '2026-06-01', shares('KOSPI', 'etf'), 0],
  ]
  for (const [name, tradeDate, listing, tax] of cases) {
    it(`${name}: ${tax} won of tax on a sale of 10,000,000`, () => {
      const sale = { side: 'sell', quantity: won(100), price: won(100_000), tradeDate } as const
      const costs = krxCosts(sale, listing, calendar)
      assert.deepEqual([inWon(costs.commission), inWon(costs.tax), inWon(costs.total)], [1500, tax, 1500 + tax])
      const purchase = krxCosts({ ...sale, side: 'buy' }, listing, calendar)
      assert.deepEqual([inWon(purchase.tax), inWon(purchase.total)], [0, 1500])
    })
  }

  it('are cut to the won, each for itself', () => {
    const sale = { side: 'sell', quantity: won(1), price: won(71_900), tradeDate: '2026-06-01' } as const
    // 71,900 × 0.015 % = 10.785; × 0.05 % = 35.95; × 0.15 % = 107.85.
    const costs = krxCosts(sale, shares('KOSPI'), calendar)
    assert.deepEqual([inWon(costs.commission), inWon(costs.tax)], [10, 35 + 107])
  })

  it('go by the commission that is configured', () => {
    const purchase = { side: 'buy', quantity: won(10), price: won(50_000), tradeDate: '2026-06-01' } as const
    assert.equal(inWon(krxCosts(purchase, shares('KOSPI'), calendar, parseUnits('0.0140527')).total), 70)
  })
})

describe('settlement on the second trading day', () => {
  it('shows a sale at D+2 and lets it buy at once', () => {
    const cash = new SettlementCash(won(1_000_000))
    cash.trade('2026-02-12', won(500_000), calendar)
    cash.trade('2026-02-13', won(-200_000), calendar)
    const view = (date: string) => {
      cash.advanceTo(date)
      const { settled, dPlus1, dPlus2 } = cash.byDay(date, calendar)
      return [inWon(settled), inWon(dPlus1), inWon(dPlus2)]
    }
    assert.equal(inWon(cash.total), 1_300_000)
    assert.deepEqual(view('2026-02-13'), [1_000_000, 1_500_000, 1_300_000])
    // 설날: the next trading day is the 19th.
    assert.deepEqual(view('2026-02-18'), [1_000_000, 1_500_000, 1_300_000])
    assert.deepEqual(view('2026-02-19'), [1_500_000, 1_300_000, 1_300_000])
    assert.deepEqual(view('2026-02-20'), [1_300_000, 1_300_000, 1_300_000])
    const again = SettlementCash.fromPlain(cash.toPlain())
    assert.deepEqual(again.toPlain(), cash.toPlain())
  })

  it('loses nothing, whenever it is looked at', () => {
    const trade = fc.record({ day: fc.integer({ min: 0, max: 40 }), amount: fc.integer({ min: -1e9, max: 1e9 }) })
    fc.assert(
      fc.property(fc.array(trade, { maxLength: 20 }), (trades) => {
        const cash = new SettlementCash(won(1))
        let sum = won(1)
        for (const { day, amount } of trades.sort((a, b) => a.day - b.day)) {
          const date = calendar.tradingDayAfter('2026-03-02', day + 1)
          cash.advanceTo(date)
          cash.trade(date, won(amount), calendar)
          sum += won(amount)
          assert.equal(cash.total, sum)
          assert.equal(cash.byDay(date, calendar).dPlus2, sum)
        }
        cash.advanceTo('2026-12-30')
        assert.equal(cash.byDay('2026-06-30', calendar).settled, sum)
      }),
    )
  })
})

describe('a share as an instrument', () => {
  it('has won ticks, one share as its lot, and the limits of the day when the base price is known', () => {
    const share = krxInstrument({
      code: '005930',
      market: 'KOSPI',
      kind: 'stock',
      date: '2026-01-05',
      basePrice: won(71_700),
    })
    assert.deepEqual(
      [share.id, share.quoteCurrency, inWon(share.lotSize), inWon(share.priceMin!), inWon(share.priceMax!)],
      ['KRX:005930', 'KRW', 1, 50_200, 93_200],
    )
    assert.equal(inWon(tickSizeAt(share, won(71_700))), 100)
    assert.equal(
      krxInstrument({ code: '00104K', market: 'KOSPI', kind: 'stock', date: '2026-01-05' }).priceMax,
      undefined,
    )
  })
})
