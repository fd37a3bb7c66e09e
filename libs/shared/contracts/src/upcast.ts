/**
 * Versions of events: the one obvious place for a change of meaning. A field that is added needs nothing here. When a payload
 * comes to mean something else, its type gets one more step, from version n to n + 1; today's version is the number of its
 * steps plus one, and whatever is in a log or an archive is brought to it where it is decoded.
 *
 * A step gets what the old bytes say in today's message (a field's number never changes its use, which CI checks), and
 * returns what that means today.
 */
import type { EventType, Payload } from './events.ts'

export type Upcasters = { readonly [T in EventType]?: readonly ((payload: Payload<T>) => Payload<T>)[] }

export const UPCASTERS: Upcasters = {}

/** The version that is written today. */
export function versionOf(type: EventType, upcasters: Upcasters = UPCASTERS): number {
  return 1 + (upcasters[type]?.length ?? 0)
}

export function upcast(type: EventType, version: number, payload: unknown, upcasters: Upcasters = UPCASTERS): unknown {
  const steps = (upcasters[type] ?? []) as readonly ((payload: unknown) => unknown)[]
  return steps.slice(version - 1).reduce((now, step) => step(now), payload)
}
