/**
 * What the operator is told of the health of the parts: when one stops working, why, and when it works again. A part that is
 * away for a moment is nothing to report; one whose process has ended is.
 */
import type { NewEvent } from '@jts/contracts'
import type { Logger } from '@jts/runtime'
import type { ServiceLight } from './service-light.ts'

export type HealthChange = {
  readonly service: string
  readonly state: 'up' | 'degraded' | 'down'
  readonly reason: string
}

/** Looks in a row at which a light must be out before it is told. */
const LOOKS = 3
const LOOK_EVERY_MS = 1000

/** What lasts while its words change: for how long, which attempt, what was found this time. */
const LASTING = /^SESSION_|^COM_HANGS$|^LIST_FAILED$/

type Watched = {
  /** Looks in a row at which the light was out, and at which its service said of itself what nobody was told. */
  out: number
  saying: number
  /** What was told last; a part that nothing was told of is up. */
  told: HealthChange['state']
  /** What its service has said of itself since it was up, as far as it was told. */
  readonly said: Set<string>
}

export class HealthWatch {
  readonly #watched = new Map<string, Watched>()

  /** What there is to tell after another look at the lights. */
  look(lights: readonly ServiceLight[]): HealthChange[] {
    const changes: HealthChange[] = []
    for (const { name: service, state, reason = '', says = [] } of lights) {
      const own = this.#of(service)
      if (state === 'up') {
        if (own.told !== 'up') changes.push({ service, state, reason: 'it works again' })
        this.#watched.delete(service)
        continue
      }
      const words = says.map(({ code, message }) => (LASTING.test(code) ? code : `${code}: ${message}`))
      own.out++
      own.saying = words.every((one) => own.said.has(one)) ? 0 : own.saying + 1
      if (own.saying < LOOKS && (own.out < LOOKS || own.told !== 'up')) continue
      own.saying = 0
      for (const one of words) own.said.add(one)
      own.told = state === 'down' ? 'down' : 'degraded'
      changes.push({ service, state: own.told, reason })
    }
    return changes
  }

  /** Its process has ended: also when it is back before anybody looks. */
  ended(service: string, how: string): HealthChange {
    this.#of(service).told = 'down'
    return { service, state: 'down', reason: `its process ${how}; it is started again` }
  }

  #of(service: string): Watched {
    const known = this.#watched.get(service) ?? { out: 0, saying: 0, told: 'up', said: new Set() }
    this.#watched.set(service, known)
    return known
  }
}

export function healthEvent({ service, state, reason }: HealthChange, timeUs: number): NewEvent {
  return {
    type: 'ServiceHealth',
    stream: service,
    correlationId: `health/${service}/${timeUs}`,
    causationId: '',
    timeEventUs: timeUs,
    payload: { service, state, reason },
  }
}

/** Looks at the lights every second; what there is to tell is in the log at once. Returns how to end it. */
export function watchHealth(
  watch: HealthWatch,
  lights: () => readonly ServiceLight[],
  tell: (change: HealthChange) => void,
): () => void {
  const timer = setInterval(() => watch.look(lights()).forEach(tell), LOOK_EVERY_MS)
  return () => clearInterval(timer)
}

export function logHealth(log: Logger, { service, state, reason }: HealthChange): void {
  log[state === 'up' ? 'info' : 'error']({ service, state }, `${service} is ${state}: ${reason}`)
}
