import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatUnits, parseUnits, shippedInstrument } from '@jts/model'
import { BarMatching } from './bar-matching.ts'
import { MatchOrder, type MatchOrderTerms } from './match-order.ts'

const instrument = shippedInstrument('BINANCE:BTCUSDT')
type Phase = ['open', number] | ['range', low: number, high: number] | ['trade', number]

function terms(changes: Partial<MatchOrderTerms> & { limit?: string; size?: string } = {}): MatchOrderTerms {
  const { limit, size, ...rest } = changes
  const price = limit === undefined ? {} : { type: 'limit' as const, limitPrice: parseUnits(limit) }
  return { side: 'buy', type: 'market', timeInForce: 'gtc', quantity: parseUnits(size ?? '1'), ...price, ...rest }
}

/** What became of one order: `fill 100 x1 taker @2` (price, quantity, liquidity, phase) or its end. */
function fate(
  order: MatchOrderTerms,
  phases: Phase[],
  options: { slippageBps?: number; covers?: boolean; lastPrice?: number } = {},
): string {
  let phaseNumber = 0
  let result = 'working'
  const matching = new BarMatching<MatchOrder>(
    instrument,
    {
      covers: () => options.covers ?? true,
      filled: (_order, quantity, price, liquidity, timeUs) => {
        result = `${formatUnits(price)} x${formatUnits(quantity)} ${liquidity} @${timeUs}`
      },
      ended: (_order, status, timeUs) => (result = `${status} @${timeUs}`),
    },
    options.slippageBps,
  )
  matching.place(new MatchOrder(order), options.lastPrice ?? 100, 0)
  for (const [phase, first, second] of phases) {
    phaseNumber++
    if (phase === 'open') matching.open(first, phaseNumber)
    else if (phase === 'trade') matching.trade(first, phaseNumber)
    else matching.range(first, second!, phaseNumber)
  }
  return result
}

describe('fill model next-open', () => {
  const sell = { side: 'sell' as const }
  const cases: [name: string, order: MatchOrderTerms, phases: Phase[], expected: string][] = [
    ['a market order fills at the next open', terms(), [['open', 100.5]], '100.5 x1 taker @1'],
    ['a market order meets no range before an open', terms(), [['range', 90, 110]], 'working'],
    [
      'a market order by quote buys whole lots',
      terms({ quantity: undefined, quoteQuantity: parseUnits('10') }),
      [['open', 3]],
      '3 x3.33333 taker @1',
    ],
    [
      'a quote too small for a lot expires',
      terms({ quantity: undefined, quoteQuantity: 1n }),
      [['open', 3]],
      'expired @1',
    ],
    ['a marketable buy limit fills at the open', terms({ limit: '101' }), [['open', 100]], '100 x1 taker @1'],
    ['a buy limit at the open fills at it', terms({ limit: '100' }), [['open', 100]], '100 x1 taker @1'],
    ['a marketable sell limit fills at the open', terms({ ...sell, limit: '99' }), [['open', 100]], '100 x1 taker @1'],
    [
      'a resting buy needs a price below its limit',
      terms({ limit: '95' }),
      [
        ['open', 100],
        ['range', 95, 105],
      ],
      'working',
    ],
    [
      'a resting buy fills at its limit when traded through',
      terms({ limit: '95' }),
      [
        ['open', 100],
        ['range', 94.99, 105],
      ],
      '95 x1 maker @2',
    ],
    [
      'a resting sell needs a price above its limit',
      terms({ ...sell, limit: '105' }),
      [
        ['open', 100],
        ['range', 95, 105],
      ],
      'working',
    ],
    [
      'a resting sell fills at its limit when traded through',
      terms({ ...sell, limit: '105' }),
      [
        ['open', 100],
        ['range', 95, 105.01],
      ],
      '105 x1 maker @2',
    ],
    [
      'a gap past a resting buy fills it at the open',
      terms({ limit: '95' }),
      [
        ['open', 100],
        ['range', 99, 101],
        ['open', 90],
      ],
      '90 x1 maker @3',
    ],
    ['ioc that is not marketable expires', terms({ limit: '95', timeInForce: 'ioc' }), [['open', 100]], 'expired @1'],
    ['fok that is marketable fills', terms({ limit: '101', timeInForce: 'fok' }), [['open', 100]], '100 x1 taker @1'],
    [
      'fok marketable at the last price alone expires',
      terms({ limit: '101', timeInForce: 'fok' }),
      [['open', 102]],
      'expired @1',
    ],
    [
      'ioc marketable at the open alone fills',
      terms({ limit: '95', timeInForce: 'ioc' }),
      [['open', 94]],
      '94 x1 taker @1',
    ],
    [
      'maker-only that is marketable at the last price is rejected when it is placed',
      { ...terms({ limit: '100' }), type: 'limit_maker' },
      [['open', 105]],
      'rejected @0',
    ],
    [
      'maker-only that the next open passes fills at it as maker',
      { ...terms({ limit: '95' }), type: 'limit_maker' },
      [['open', 94]],
      '94 x1 maker @1',
    ],
    [
      'maker-only rests whatever its time in force, and fills',
      { ...terms({ limit: '95', timeInForce: 'ioc' }), type: 'limit_maker' },
      [
        ['open', 100],
        ['range', 90, 100],
      ],
      '95 x1 maker @2',
    ],
    ['a market order fills at the next trade', terms(), [['trade', 100]], '100 x1 taker @1'],
    [
      'a resting buy and a trade at its limit',
      terms({ limit: '95' }),
      [
        ['trade', 100],
        ['trade', 95],
      ],
      'working',
    ],
    [
      'a resting buy and a trade through its limit',
      terms({ limit: '95' }),
      [
        ['trade', 100],
        ['trade', 94],
      ],
      '95 x1 maker @2',
    ],
  ]
  for (const [name, order, phases, expected] of cases) {
    it(name, () => assert.equal(fate(order, phases), expected))
  }

  const slipped: [side: 'buy' | 'sell', open: number, bps: number, price: string][] = [
    ['buy', 60000, 1, '60006'],
    ['sell', 60000, 1, '59994'],
    ['buy', 60000.01, 1, '60006.02'],
    ['sell', 60000.01, 1, '59994'],
    ['buy', 60000.01, 0, '60000.01'],
    ['buy', 60000, 0.5, '60003'],
  ]
  for (const [side, open, slippageBps, price] of slipped) {
    it(`${slippageBps} bp of slippage make a ${side} at ${open} fill at ${price}`, () => {
      assert.equal(fate(terms({ side }), [['open', open]], { slippageBps }), `${price} x1 taker @1`)
    })
  }

  it('slippage leaves limit orders alone', () => {
    assert.equal(fate(terms({ limit: '101' }), [['open', 100]], { slippageBps: 50 }), '100 x1 taker @1')
  })

  it('a fill beyond what is at hand does not happen: the order expires', () => {
    assert.equal(fate(terms(), [['open', 100]], { covers: false }), 'expired @1')
  })

  it('an order placed while a fill is told of waits for the next open', () => {
    const fills: string[] = []
    const matching: BarMatching<MatchOrder> = new BarMatching<MatchOrder>(instrument, {
      covers: () => true,
      filled: (order, _quantity, price) => {
        fills.push(`${order.side} ${formatUnits(price)}`)
        if (order.side === 'buy') matching.place(new MatchOrder(terms({ side: 'sell' })), 100, 1)
      },
      ended: () => undefined,
    })
    matching.place(new MatchOrder(terms()), 100, 0)
    matching.open(100, 1)
    assert.deepEqual(fills, ['buy 100'])
    matching.range(90, 110, 2)
    matching.open(105, 3)
    assert.deepEqual(fills, ['buy 100', 'sell 105'])
    assert.equal(matching.orderCount, 0)
  })

  it('a cancelled order is told of once and never fills', () => {
    const ends: string[] = []
    const matching = new BarMatching<MatchOrder>(instrument, {
      covers: () => true,
      filled: () => ends.push('filled'),
      ended: (_order, status) => ends.push(status),
    })
    const order = new MatchOrder(terms())
    matching.place(order, 100, 0)
    matching.cancel(order, 1)
    matching.cancel(order, 1)
    matching.open(100, 2)
    assert.deepEqual(ends, ['cancelled'])
  })
})
