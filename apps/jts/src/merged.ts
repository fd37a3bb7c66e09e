/** Several ordered readings as one, each item taken from the one whose next comes first; one item of each is held. */
export async function* merged<T>(parts: readonly AsyncIterable<T>[], placeOf: (item: T) => number): AsyncIterable<T> {
  const readings = parts.map((part) => part[Symbol.asyncIterator]())
  try {
    const heads = await Promise.all(readings.map((reading) => reading.next()))
    for (;;) {
      let first = -1
      for (const [i, head] of heads.entries()) {
        if (head.done === true) continue
        const best = first < 0 ? undefined : heads[first]!
        if (best === undefined || placeOf(head.value) < placeOf(best.value as T)) first = i
      }
      if (first < 0) return
      yield heads[first]!.value as T
      heads[first] = await readings[first]!.next()
    }
  } finally {
    for (const reading of readings) await reading.return?.()
  }
}
