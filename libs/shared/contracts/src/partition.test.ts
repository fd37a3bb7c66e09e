import assert from 'node:assert/strict'
import { test } from 'node:test'
import { murmur2 } from './partition.ts'

// Apache Kafka, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2
const cases: readonly [string, number][] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
]

test('the key hash equals the one of Kafka on its own test vectors', () => {
  for (const [key, hash] of cases) assert.equal(murmur2(new TextEncoder().encode(key)), hash, key)
  assert.equal(murmur2(new Uint8Array([97, 98, 99])), 479470107)
})
