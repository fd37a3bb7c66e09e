/** Whatever the venue says first, twice or last, and whoever is killed meanwhile, the end is the same. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PlaceOutcome } from '@jts/broker-kit'
import { deferred } from '@jts/testkit/fake-broker'
import fc from 'fast-check'
import { ACCOUNT, UNKNOWN, remove, world } from '../testing/world.ts'

describe('whatever the order of the words', () => {
  type Word = 'reply' | 'accepted' | 'fill1' | 'fill2' | 'end' | 'list' | 'restart' | 'stream' | 'quiet'
  const words: Word[] = ['reply', 'accepted', 'fill1', 'fill2', 'end', 'list', 'stream', 'quiet']

  for (const ending of ['filled', 'cancelled'] as const) {
    it(`the order ends ${ending} and each fill is booked once`, async () => {
      const order = fc.shuffledSubarray(
        words.flatMap((word) => [word, word]),
        { minLength: 3 },
      )
      await fc.assert(
        fc.asyncProperty(order, fc.boolean(), fc.boolean(), async (said, isUnknown, isRestarted) => {
          const w = await world()
          const reply = deferred<PlaceOutcome>()
          w.broker.onPlace = () => reply.promise
          await w.approve('s1', { quantity: '3' })
          const id = w.clientId
          const taken = w.broker.take(w.broker.placed[0]!) as PlaceOutcome & { kind: 'accepted' }
          const fills = [w.broker.execute(id, '1'), w.broker.execute(id, ending === 'filled' ? '2' : '1')]
          const end = ending === 'filled' ? fills[1]!.report : w.broker.end(id, 'cancelled')
          const speak: Record<Exclude<Word, 'restart'>, () => unknown> = {
            reply: () => reply.resolve(isUnknown ? UNKNOWN : taken),
            accepted: () => w.broker.notice(taken.report),
            fill1: () => w.broker.notice(fills[0]!.report, fills[0]!.fill),
            fill2: () => w.broker.notice(fills[1]!.report, fills[1]!.fill),
            end: () => w.broker.notice(end),
            list: () => w.service.reconcile(ACCOUNT),
            stream: () => {
              w.broker.down()
              w.broker.up()
            },
            quiet: () => w.run(3000),
          }
          for (const word of said) await speak[word as Exclude<Word, 'restart'>]()
          if (isRestarted) await w.restart()
          else reply.resolve(UNKNOWN)
          await w.run(70_000)
          assert.deepEqual(await w.status(), [ending === 'filled' ? 'filled 3' : 'cancelled 2'])
          const trades = fills.map(({ fill }) => fill.tradeId)
          assert.deepEqual(await w.bookedTrades(), trades)
          const told = await w.harness.events('orders.events', 'OrderFilled')
          assert.deepEqual(told.map((one) => one.payload.tradeId).sort(), trades)
          const ends = (await w.said()).filter((type) => type === 'OrderCancelled' || type === 'OrderExpired')
          assert.deepEqual(ends, ending === 'filled' ? [] : ['OrderCancelled'])
          assert.deepEqual(await w.harness.events('orders.events', 'ForeignFill'), [])
          await remove(w)
        }),
        { numRuns: 25 },
      )
    })
  }
})

describe('whatever the list and the notices show first', () => {
  it('every trade is booked once', async () => {
    const trades = fc.integer({ min: 2, max: 6 })
    type Step = { readonly what: 'show' | 'tell' | 'read' | 'restart'; readonly n: number }
    const step = fc.record<Step>({
      what: fc.constantFrom('show', 'show', 'tell', 'read', 'read', 'restart'),
      n: fc.integer({ min: 0, max: 5 }),
    })
    await fc.assert(
      fc.asyncProperty(trades, fc.array(step, { maxLength: 20 }), async (count, steps) => {
        const w = await world()
        await w.approve('s1', { quantity: '9' })
        const id = w.clientId
        const made = Array.from({ length: count }, () => w.broker.execute(id, '1'))
        for (const { fill } of made) w.broker.unlisted.add(fill.tradeId)
        for (const { what, n } of steps) {
          const { report, fill } = made[n % count]!
          if (what === 'show') w.broker.unlisted.delete(fill.tradeId)
          else if (what === 'tell') w.broker.notice(report, fill)
          else if (what === 'read') await w.service.reconcile(ACCOUNT)
          else await w.restart()
          await w.run()
        }
        w.broker.unlisted.clear()
        await w.service.reconcile(ACCOUNT)
        await w.run()
        const ids = made.map(({ fill }) => fill.tradeId)
        assert.deepEqual(await w.bookedTrades(), ids)
        const told = await w.harness.events('orders.events', 'OrderFilled')
        assert.deepEqual(told.map((one) => one.payload.tradeId).sort(), ids)
        assert.deepEqual(await w.harness.events('orders.events', 'ForeignFill'), [])
        await remove(w)
      }),
      { numRuns: 25 },
    )
  })
})
