import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { shareUnits } from './share.ts'

const holders = (rows: Record<string, string>): Map<string, string> => new Map(Object.entries(rows))
const shared = (units: string[], replicas: string[], now: Record<string, string> = {}): Record<string, string> =>
  Object.fromEntries(shareUnits({ units, replicas, holders: holders(now) }))

const cases: [what: string, found: Record<string, string>, expected: Record<string, string>][] = [
  ['one replica has everything', shared(['u1', 'u2'], ['a']), { u1: 'a', u2: 'a' }],
  ['nobody lives: nobody has anything', shared(['u1'], []), {}],
  ['a second one is given half', shared(['u1', 'u2'], ['a', 'b'], { u1: 'a', u2: 'a' }), { u1: 'a', u2: 'b' }],
  ['what is shared stays', shared(['u1', 'u2'], ['a', 'b'], { u1: 'b', u2: 'a' }), { u1: 'b', u2: 'a' }],
  [
    'an odd unit stays where it is',
    shared(['u1', 'u2', 'u3'], ['a', 'b'], { u1: 'b', u2: 'b', u3: 'a' }),
    { u1: 'b', u2: 'b', u3: 'a' },
  ],
  ['one unit has one holder, the others stand by', shared(['u'], ['a', 'b', 'c'], { u: 'b' }), { u: 'b' }],
  [
    'what the dead held goes to the living',
    shared(['u1', 'u2', 'u3'], ['a'], { u1: 'a', u2: 'b', u3: 'b' }),
    { u1: 'a', u2: 'a', u3: 'a' },
  ],
]
for (const [what, found, expected] of cases) test(what, () => assert.deepEqual(found, expected))

test('however units are held: all are shared, evenly, and no more of them move than must', () => {
  const names = fc.uniqueArray(fc.constantFrom(...'abcdefgh'), { minLength: 1, maxLength: 6 })
  const world = fc.tuple(
    names,
    fc.integer({ min: 0, max: 20 }),
    fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 20 }),
  )
  fc.assert(
    fc.property(world, ([replicas, count, picks]) => {
      const units = Array.from({ length: count }, (_, n) => `u${n}`)
      // Some are held by the living, some by the dead, some by nobody.
      const now = new Map(units.flatMap((unit, n) => (picks[n] === 0 ? [] : [[unit, 'abcdefgh'[picks[n]!]!] as const])))
      const result = shareUnits({ units, replicas, holders: now })
      assert.deepEqual([...result.keys()].sort(), [...units].sort())
      const counts = replicas.map((replica) => [...result.values()].filter((one) => one === replica).length)
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1)
      const least = Math.floor(count / replicas.length)
      const heldBy = replicas.map((replica) => units.filter((unit) => now.get(unit) === replica).length)
      const mustLeave = heldBy.reduce((sum, held) => sum + Math.max(0, held - least - 1), 0)
      const left = units.filter((unit) => replicas.includes(now.get(unit) ?? '') && result.get(unit) !== now.get(unit))
      const withOneMore = heldBy.filter((held) => held > least).length
      assert.equal(left.length, mustLeave + Math.max(0, withOneMore - (count % replicas.length)))
      // Once everyone holds what it should, nothing moves any more.
      assert.deepEqual(shareUnits({ units, replicas, holders: result }), result)
    }),
  )
})
