/** Orders for Korean shares before the rules of their exchange. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { accountId, strategyInstanceId, type SignalId } from '../ids.ts'
import type { Restriction } from '../instruments.ts'
import { krxInstrument } from '../krx/instrument.ts'
import { kstInstantUs, secondsOfTime } from '../krx/kst.ts'
import { KrxSessions } from '../krx/sessions.ts'
import { ONE, parseUnits } from '../numbers.ts'
import { RiskEngine } from './risk-engine.ts'
import type { DenialCode, RiskIntent, RiskLimits } from './risk-types.ts'

const account = accountId('sim.creon.main')
const strategy = strategyInstanceId('one')
const DATE = '2026-01-05'
const share = { code: '005930', market: 'KOSPI', kind: 'stock', date: DATE, basePrice: 71_700n * ONE } as const
const at = (time: string, date = DATE): number => kstInstantUs(date, secondsOfTime(time))

type Case = {
  name: string
  intent?: Partial<RiskIntent>
  restrictions?: Restriction[]
  limits?: RiskLimits
  nowUs?: number
  /** When the last price was made; now, when not given. */
  pricedUs?: number
  cash?: string
  denied?: DenialCode
  reason?: RegExp
}

function decide({
  intent,
  restrictions = [],
  limits = {},
  nowUs = at('10:00'),
  pricedUs = nowUs,
  cash = '10000000',
}: Case) {
  const instrument = krxInstrument({ ...share, restrictions })
  const engine = new RiskEngine(limits, { sessions: new KrxSessions() })
  engine.setInstrument(instrument)
  engine.setCash(account, 'KRW', parseUnits(cash))
  engine.ledger(account).position(strategy, instrument.id).quantity = 10n * ONE
  engine.mark(instrument.id, 71_900, pricedUs)
  const whole: RiskIntent = {
    signalId: 's1' as SignalId,
    account,
    strategy,
    instrument: instrument.id,
    side: 'buy',
    type: 'market',
    quantity: ONE,
    timeInForce: 'gtc',
    signalTimeUs: nowUs,
    ...intent,
  }
  return engine.check(whole, nowUs, { explain: true })
}

const limit = (price: number): Partial<RiskIntent> => ({ type: 'limit', limitPrice: BigInt(price) * ONE })

describe('risk on Korean shares', () => {
  const cases: Case[] = [
    { name: 'a market buy in continuous trading' },
    { name: 'a price off the tick of its band', intent: limit(71_950), denied: 'TICK_SIZE', reason: /steps of 100/ },
    { name: 'a price on it', intent: limit(71_900) },
    { name: 'the upper limit', intent: limit(93_200) },
    {
      name: 'above the upper limit',
      intent: limit(93_300),
      denied: 'PRICE_LIMIT',
      reason: /50200 to 93200 today, found 93300/,
    },
    { name: 'below the lower limit', intent: limit(50_100), denied: 'PRICE_LIMIT' },
    { name: 'half a share', intent: { quantity: ONE / 2n }, denied: 'LOT_SIZE' },
    { name: 'before the day', nowUs: at('08:00'), denied: 'SESSION_CLOSED', reason: /expected KRX to be open/ },
    { name: 'in the opening auction', nowUs: at('08:45') },
    { name: 'in the closing auction', nowUs: at('15:25') },
    {
      name: 'at once in the opening auction',
      nowUs: at('08:45'),
      intent: { ...limit(71_900), timeInForce: 'ioc' },
      denied: 'SESSION_PHASE',
      reason: /in continuous trading for an ioc order, found opening-auction/,
    },
    {
      name: 'all or nothing in the closing auction',
      nowUs: at('15:25'),
      intent: { ...limit(71_900), timeInForce: 'fok' },
      denied: 'SESSION_PHASE',
    },
    { name: 'at once in continuous trading', intent: { ...limit(71_900), timeInForce: 'ioc' } },
    { name: "against yesterday's limits", nowUs: at('10:00', '2026-01-06'), intent: limit(93_300) },
    { name: 'after the close', nowUs: at('15:31'), denied: 'SESSION_CLOSED' },
    { name: 'in off-hours trading', nowUs: at('16:00'), denied: 'SESSION_CLOSED', reason: /found off-hours trading/ },
    { name: 'on a holiday', nowUs: at('10:00', '2026-01-01'), denied: 'SESSION_CLOSED' },
    {
      name: 'in a year without a calendar',
      nowUs: at('10:00', '2027-01-05'),
      denied: 'SESSION_UNKNOWN',
      reason: /2027-01-05/,
    },
    { name: 'a halted issue', restrictions: ['halted'], denied: 'INSTRUMENT_HALTED' },
    { name: 'selling a halted issue', restrictions: ['halted'], intent: { side: 'sell' }, denied: 'INSTRUMENT_HALTED' },
    {
      name: 'a managed issue',
      restrictions: ['managed'],
      denied: 'INSTRUMENT_MANAGED',
      reason: /found it a managed issue/,
    },
    { name: 'selling a managed issue', restrictions: ['managed'], intent: { side: 'sell' } },
    {
      name: 'a managed issue that the trader allows',
      restrictions: ['managed'],
      limits: { restrictionsAllowed: ['managed'] },
    },
    {
      name: 'a managed issue that is halted too',
      restrictions: ['managed', 'halted'],
      limits: { restrictionsAllowed: ['managed'] },
      denied: 'INSTRUMENT_HALTED',
    },
    { name: 'an investment warning', restrictions: ['warning'], denied: 'INSTRUMENT_WARNING' },
    { name: 'investment danger', restrictions: ['danger'], denied: 'INSTRUMENT_DANGER' },
    { name: 'investment caution', restrictions: ['caution'], denied: 'INSTRUMENT_CAUTION' },
    {
      name: 'what no broker has told of',
      restrictions: ['unlisted'],
      denied: 'LISTING_UNKNOWN',
      reason: /share, ETF or what else/,
    },
    { name: 'selling what no broker has told of', restrictions: ['unlisted'], intent: { side: 'sell' } },
    { name: 'trading until delisting', restrictions: ['delisting'], denied: 'INSTRUMENT_DELISTING' },
    { name: 'a volatility interruption', restrictions: ['volatility-interruption'], denied: 'VOLATILITY_INTERRUPTION' },
    ...(
      [
        ['in an auction, a price of the close before', at('08:30:05'), at('15:29:59', '2026-01-02'), undefined],
        ['after the opening, the same', at('09:00:25'), at('15:29:59', '2026-01-02'), undefined],
        ['half a minute after it, too', at('09:00:30'), at('15:29:59', '2026-01-02'), 31],
        ['a price of before the close before', at('08:45'), at('15:29:20', '2026-01-02'), 40],
        ['a price of the day before that', at('08:45'), at('15:29:59', '2025-12-30'), 19801],
        ['a price within the day', at('10:00'), at('09:59:29'), 31],
        ['a price of another year', at('10:00'), at('10:00', '2025-01-06'), 31_449_600],
      ] as const
    ).map(([name, nowUs, pricedUs, age]): Case => ({
      ...{ name, nowUs, pricedUs, limits: { marketDataAgeMaxUs: 30_000_000 } },
      ...(age === undefined ? {} : { denied: 'STALE_MARKET_DATA', reason: new RegExp(`found one of ${age} s`) }),
    })),
    ...(
      [
        ['that goes at once', at('08:30:05'), at('08:30:05'), undefined],
        ['that comes a quarter of an hour late into its auction', at('08:30:05'), at('08:45'), undefined],
        ['in the last second for its auction', at('08:30:05'), at('08:59:54'), undefined],
        [
          'that is too late for it',
          at('08:30:05'),
          at('08:59:55'),
          /until 2026-01-05 08:59:55 KST, found one of 1790 s/,
        ],
        ['after its auction', at('08:30:05'), at('09:05'), /at most 60 s, or in time for the opening auction until/],
        ['that finds the auction of another day', at('08:30:05', '2026-01-02'), at('08:45'), /found one of \d+ s$/],
        ['of the first day, whose auction is late', at('09:30:05', '2026-01-02'), at('09:59', '2026-01-02'), undefined],
        ['after that', at('09:30:05', '2026-01-02'), at('10:01', '2026-01-02'), /2026-01-02 09:59:55 KST/],
        [
          'of the midst of an auction',
          at('08:31'),
          at('08:33'),
          /expected a signal of at most 60 s, found one of 120 s/,
        ],
        ['of before the auction', at('08:29'), at('08:31'), /expected a signal of at most 60 s, found one of 120 s/],
        ['of continuous trading', at('09:00:05'), at('09:02'), /expected a signal of at most 60 s, found one of 115 s/],
        [
          'of the closing auction',
          at('15:20:05'),
          at('15:22'),
          /expected a signal of at most 60 s, found one of 115 s/,
        ],
      ] as const
    ).map(([name, signalTimeUs, nowUs, reason]): Case => ({
      ...{ name: `a signal ${name}`, nowUs, intent: { signalTimeUs }, limits: { signalAgeMaxUs: 60_000_000 } },
      ...(reason === undefined ? {} : { denied: 'STALE_SIGNAL', reason }),
    })),
    { name: 'a market buy is reserved at the upper limit', cash: '93200' },
    {
      name: 'a market buy that the upper limit makes too dear',
      cash: '93199',
      denied: 'INSUFFICIENT_CASH',
      reason: /expected 93200 KRW \(1 at 93200 at worst\)/,
    },
  ]
  for (const one of cases) {
    it(`${one.name}: ${one.denied ?? 'approved'}`, () => {
      const decision = decide(one)
      assert.equal(decision.approved ? undefined : decision.reasonCode, one.denied)
      if (one.reason !== undefined) assert.match(decision.approved ? '' : decision.reason, one.reason)
    })
  }

  it('tells how old a signal is that its auction still takes', () => {
    const limits = { signalAgeMaxUs: 60_000_000 }
    const { checks } = decide({ name: '', limits, nowUs: at('08:45'), intent: { signalTimeUs: at('08:30:05') } })
    assert.equal(
      checks.find(({ rule }) => rule === 'stale-signal')?.reason,
      '895 s, in time for the opening auction until 2026-01-05 08:59:55 KST',
    )
  })
})
