import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { packEntries, unpackEntries, type Entry } from './entry.ts'

const record = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>
const place = record({
  topic: fc.constantFrom('market-data.binance.candles' as const, 'orders.events' as const),
  partition: fc.nat(3),
  offset: fc.nat(),
})
const order = fc.nat(9)
const entry: fc.Arbitrary<Entry> = fc.oneof(
  record({ kind: fc.constant('market' as const), place }),
  record({ kind: fc.constantFrom('fill' as const, 'booked' as const), place, order }),
  record({ kind: fc.constantFrom('closed' as const, 'unknown' as const, 'known' as const), order }),
  record({ kind: fc.constant('cancel' as const), order }),
)

test('entries come back as they were, in their order', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 40 }), (entries) => {
      const text = JSON.stringify(packEntries(entries))
      assert.deepEqual(unpackEntries(JSON.parse(text)), entries)
    }),
  )
})

test('what comes from one partition at a steady pace takes one word', () => {
  const at = (offset: number): Entry => ({
    kind: 'market',
    place: { topic: 'market-data.binance.candles', partition: 7, offset },
  })
  const packed = packEntries([at(10), at(13), at(16), at(17)])
  assert.deepEqual(packed, [['m', 'market-data.binance.candles/7', 10, 3, 2, 1, 1]])
})

test('an entry of a newer version is refused', () => {
  assert.throws(() => unpackEntries([['z', 1]]), /expected a known entry of a record, found \["z",1\]/)
})
