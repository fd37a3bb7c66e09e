/**
 * What the operator is told of the health of the parts: when one stops working, why, and when it works again. A part that is
 * away for a moment is nothing to report; one whose process has ended is.
 */
import type { NewEvent } from '@jts/contracts'
import type { Logger } from '@jts/runtime'
import type { ServiceLight } from './system.ts'

export type HealthChange = {
  readonly service: string
  readonly state: 'up' | 'degraded' | 'down'
  readonly reason: string
}

/** Looks in a row at which a light must be out before it is told. */
const LOOKS = 3
const LOOK_EVERY_MS = 1000

export class HealthWatch {
  /** Looks in a row at which a light was out. */
  readonly #out = new Map<string, number>()
  /** What was told last; a part that nothing was told of is up. */
  readonly #told = new Map<string, HealthChange['state']>()

  /** What there is to tell after another look at the lights. */
  look(lights: readonly ServiceLight[]): HealthChange[] {
    const changes: HealthChange[] = []
    for (const { name: service, state, reason = '' } of lights) {
      const told = this.#told.get(service) ?? 'up'
      if (state === 'up') {
        this.#out.delete(service)
        if (told !== 'up') changes.push(this.#tell({ service, state, reason: 'it works again' }))
        continue
      }
      const looks = (this.#out.get(service) ?? 0) + 1
      this.#out.set(service, looks)
      if (looks >= LOOKS && told === 'up') {
        changes.push(this.#tell({ service, state: state === 'down' ? 'down' : 'degraded', reason }))
      }
    }
    return changes
  }

  /** Its process has ended: also when it is back before anybody looks. */
  ended(service: string, how: string): HealthChange {
    return this.#tell({ service, state: 'down', reason: `its process ${how}; it is started again` })
  }

  #tell(change: HealthChange): HealthChange {
    this.#told.set(change.service, change.state)
    return change
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
