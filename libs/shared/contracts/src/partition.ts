/** Kafka's default partitioner (murmur2 over the key's UTF-8 bytes), the same in both modes. */
const SEED = 0x9747b28c
const M = 0x5bd1e995

export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length
  let h = SEED ^ length
  let i = 0
  for (; i + 4 <= length; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    k = Math.imul(k, M)
    k ^= k >>> 24
    k = Math.imul(k, M)
    h = Math.imul(h, M) ^ k
  }
  const rest = length - i
  if (rest === 3) h ^= bytes[i + 2]! << 16
  if (rest >= 2) h ^= bytes[i + 1]! << 8
  if (rest >= 1) h = Math.imul(h ^ bytes[i]!, M)
  h ^= h >>> 13
  h = Math.imul(h, M)
  h ^= h >>> 15
  return h | 0
}

const encoder = new TextEncoder()

/** The partition of a key among `count`, as Kafka's clients choose it. */
export function partitionOf(key: string, count: number): number {
  return (murmur2(encoder.encode(key)) & 0x7fffffff) % count
}
