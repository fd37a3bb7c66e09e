/**
 * Who of the living replicas of a service should hold which of its units: an even share each, moving no more than that takes.
 * Every replica computes it for itself from the same rows; what it computes is a wish, and a unit changes hands by its epoch
 * alone, so two replicas that see different rows for a moment disagree harmlessly.
 */
export type Holdings = {
  readonly units: readonly string[]
  /** Living replicas. */
  readonly replicas: readonly string[]
  /** Who holds a unit now, where that is one of the living. */
  readonly holders: ReadonlyMap<string, string>
}

/** The replica that should hold each unit; empty when nobody lives. */
export function shareUnits({ units, replicas, holders }: Holdings): ReadonlyMap<string, string> {
  const held = new Map(replicas.map((replica) => [replica, [] as string[]]))
  const sorted = [...units].sort()
  for (const unit of sorted) held.get(holders.get(unit) ?? '')?.push(unit)
  // Where the units do not divide, those who hold the most have one more: so the fewest move.
  const order = [...held.keys()].sort((a, b) => held.get(b)!.length - held.get(a)!.length || (a < b ? -1 : 1))
  const least = Math.floor(units.length / order.length)
  const extra = units.length % order.length
  const room = new Map(order.map((replica, i) => [replica, i < extra ? least + 1 : least]))
  const shared = new Map<string, string>()
  const give = (unit: string, replica: string): void => {
    shared.set(unit, replica)
    room.set(replica, room.get(replica)! - 1)
  }
  for (const [replica, own] of held) for (const unit of own.slice(0, room.get(replica))) give(unit, replica)
  const free = sorted.filter((unit) => !shared.has(unit))
  for (const replica of order) for (const unit of free.splice(0, room.get(replica))) give(unit, replica)
  return shared
}
