import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { OrderLife, type OrderEvent, type OrderOutcome } from './order-life.ts'
import { canTransition, isClosed, isOpen, type OrderStatus } from './orders.ts'

const fill = (tradeId: string, lastQuantity: bigint): OrderEvent => ({
  type: 'filled',
  tradeId,
  lastQuantity,
  lastPrice: 1n,
})
const sent = (): OrderLife => new OrderLife(10n, 'submitting')

describe('order life', () => {
  const lives: [name: string, events: OrderEvent[], last: OrderOutcome, status: OrderStatus, cumulative: bigint][] = [
    ['accepted', [{ type: 'accepted' }], 'applied', 'accepted', 0n],
    ['filled in two', [{ type: 'accepted' }, fill('1', 4n), fill('2', 6n)], 'applied', 'filled', 10n],
    [
      'a fill that overtakes its acceptance',
      [fill('1', 4n), { type: 'accepted' }],
      'duplicate',
      'partially_filled',
      4n,
    ],
    ['the same fill twice', [fill('1', 4n), fill('1', 4n)], 'duplicate', 'partially_filled', 4n],
    ['a fill above the quantity', [fill('1', 4n), fill('2', 7n)], 'excess', 'partially_filled', 4n],
    ['a fill of nothing', [fill('1', 0n)], 'excess', 'submitting', 0n],
    ['unknown, then found', [{ type: 'unknown' }, { type: 'accepted' }], 'applied', 'accepted', 0n],
    [
      'a time-out after the stream has accepted',
      [{ type: 'accepted' }, { type: 'unknown' }],
      'duplicate',
      'accepted',
      0n,
    ],
    ['unknown, then filled', [{ type: 'unknown' }, fill('1', 10n)], 'applied', 'filled', 10n],
    ['cancelled in part', [fill('1', 4n), { type: 'cancelled' }], 'applied', 'cancelled', 4n],
    ['a fill after the cancel', [{ type: 'cancelled' }, fill('1', 4n)], 'late', 'cancelled', 4n],
    ['a fill after it was given up', [{ type: 'expired' }, fill('1', 10n)], 'late', 'filled', 10n],
    ['a cancel after the last fill', [fill('1', 10n), { type: 'cancelled' }], 'late', 'filled', 10n],
    [
      'a refused cancel',
      [{ type: 'accepted' }, { type: 'pending_cancel' }, { type: 'accepted' }],
      'applied',
      'accepted',
      0n,
    ],
    ['a rejection after the acceptance', [{ type: 'accepted' }, { type: 'rejected' }], 'refused', 'accepted', 0n],
  ]
  for (const [name, events, last, status, cumulative] of lives) {
    it(name, () => {
      const order = sent()
      const outcomes = events.map((event) => order.apply(event))
      assert.deepEqual([outcomes.at(-1), order.status, order.cumulativeQuantity], [last, status, cumulative])
    })
  }

  it('leaves nothing once it is closed', () => {
    const order = sent()
    order.apply(fill('1', 4n))
    assert.equal(order.leavesQuantity, 6n)
    order.apply({ type: 'cancelled' })
    assert.equal(order.leavesQuantity, 0n)
  })

  it('a closed state leads nowhere, an open one somewhere', () => {
    const all: OrderStatus[] = ['initialized', 'denied', 'approved', 'submitting', 'accepted', 'rejected', 'unknown']
    all.push('partially_filled', 'filled', 'pending_cancel', 'cancelled', 'expired')
    for (const from of all) {
      assert.equal(isOpen(from), !isClosed(from))
      assert.equal(
        all.some((to) => canTransition(from, to)),
        isOpen(from),
        from,
      )
    }
  })

  /** Fills that fit, and an end that fits them. */
  const complete = fc
    .record({
      parts: fc.array(fc.bigInt({ min: 1n, max: 30n }), { minLength: 1, maxLength: 6 }),
      isCancelled: fc.boolean(),
    })
    .map(({ parts, isCancelled }) => {
      const sum = parts.reduce((a, b) => a + b)
      const fills = parts.map((part, i) => fill(String(i + 1), part))
      const events: OrderEvent[] = [{ type: 'accepted' }, ...fills]
      if (isCancelled) events.push({ type: 'cancelled' })
      return { quantity: isCancelled ? sum + 1n : sum, sum, events, status: isCancelled ? 'cancelled' : 'filled' }
    })

  it('ends the same in whatever order and however often its events arrive', () => {
    fc.assert(
      fc.property(
        complete.chain((life) =>
          fc.record({
            life: fc.constant(life),
            arrival: fc
              .tuple(
                fc.shuffledSubarray(life.events, { minLength: life.events.length }),
                fc.array(fc.constantFrom(...life.events), { maxLength: 8 }),
                fc.infiniteStream(fc.nat()),
              )
              .map(([once, again, positions]) => {
                const arrival = [...once]
                for (const event of again) arrival.splice(positions.next().value! % (arrival.length + 1), 0, event)
                return arrival
              }),
          }),
        ),
        ({ life, arrival }) => {
          const order = new OrderLife(life.quantity, 'submitting')
          for (const event of arrival) {
            order.apply(event)
            assert.ok(order.cumulativeQuantity <= order.quantity)
          }
          assert.equal(order.status, life.status)
          assert.equal(order.cumulativeQuantity, life.sum)
        },
      ),
    )
  })

  it('goes on from its plain form', () => {
    const order = sent()
    for (const event of [fill('1', 2n), fill('2', 3n)]) order.apply(event)
    const restored = OrderLife.fromPlain(
      JSON.parse(JSON.stringify(order.toPlain())) as ReturnType<OrderLife['toPlain']>,
    )
    assert.deepEqual(restored.toPlain(), order.toPlain())
    assert.equal(restored.apply(fill('2', 3n)), 'duplicate')
    assert.equal(restored.apply(fill('3', 5n)), 'applied')
  })
})
