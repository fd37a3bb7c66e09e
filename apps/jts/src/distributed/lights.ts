/** What a person is shown of each process: up, or what is missing. */
import { isOfCreon } from '../brokers/creon.ts'
import { isOfBinance } from '../brokers/broker-services.ts'
import { waitingLight } from '../brokers/waiting-light.ts'
import type { HostState } from '@jts/contracts/host-api'
import { systemClock } from '@jts/runtime'
import type { Living, Owned } from '@jts/transport/store/unit-table'
import { stopReason } from '../log-stops.ts'
import type { ServiceLight } from '../service-light.ts'
import { SERVICE_NAMES } from './service-names.ts'
import type { SupervisedState } from './supervisor.ts'

/** What was last seen of the processes and their units. */
export type Seen = {
  readonly living: readonly Living[]
  readonly owners: readonly Owned[]
  readonly states: readonly HostState[]
}

const COMMIT_LATE_MS = 2000
/** A unit that was taken a moment ago may not answer yet. */
const FRESH_US = 5_000_000

/** Of a process that is supervised here. */
export function lightOf(process: SupervisedState, seen: Seen): ServiceLight {
  const { name, service, sinceMs } = process
  const shown = { name, owns: ownedBy(name, service, seen), sinceUs: sinceMs * 1000 }
  if (process.state === 'down') {
    return { ...shown, state: 'down', reason: `its process ${process.ended ?? 'has ended'}; it is started again` }
  }
  if (process.state === 'starting') return { ...shown, state: 'starting', reason: 'its process is starting' }
  const own = seen.states.filter((state) => state.pid === process.pid)
  return { ...shown, ...judge({ name, service }, own, seen) }
}

/** Of every service, where others start the processes: only who says that he lives is known. */
export function lightsElsewhere(seen: Seen): ServiceLight[] {
  return SERVICE_NAMES.flatMap((service): ServiceLight[] => {
    const replicas = seen.living.filter((one) => one.service === service)
    if (replicas.length === 0) {
      return [{ name: service, state: 'down', reason: 'no process of it says that it lives' }]
    }
    return replicas.map(({ replica, sinceUs }) => {
      const units = new Set(seen.owners.filter(({ owner }) => owner === replica).map(({ unit }) => unit))
      const own = seen.states.filter(({ unit }) => units.has(unit))
      const name = replicas.length === 1 ? service : replica
      return { name, owns: ownedBy(replica, service, seen), sinceUs, ...judge({ name: replica, service }, own, seen) }
    })
  })
}

/** What the process owns, in the words that a person gave: the account, the strategy instance. */
function ownedBy(name: string, service: string, { owners }: Seen): string[] {
  const own = owners.filter(({ owner }) => owner === name).map(({ unit }) => unit)
  return own.map((unit) => (unit.startsWith(`${service}.`) ? unit.slice(service.length + 1) : unit))
}

/** Up: the process says that it lives, and every unit that it owns is ready. It may own none, and stand by. */
function judge(
  { name, service }: { readonly name: string; readonly service: string },
  own: readonly HostState[],
  { living, owners, states }: Seen,
): Omit<ServiceLight, 'name'> {
  const isAsked = owners.some(({ owner, sinceUs }) => owner === name && sinceUs < systemClock.nowUs() - FRESH_US)
  if (own.length === 0 && (isAsked || !living.some(({ replica }) => replica === name))) {
    return { state: 'down', reason: 'its process does not answer' }
  }
  if (own.some((state) => state.commitWaitsMs > COMMIT_LATE_MS)) {
    return { state: 'down', reason: 'PostgreSQL does not answer it' }
  }
  if (own.some((state) => state.kafkaBreaker !== 'closed')) {
    return { state: 'down', reason: 'Kafka does not answer it' }
  }
  const stop = own.flatMap(({ stops }) => stops)[0]
  if (stop !== undefined) return { state: 'down', reason: stopReason(stop) }
  return waitingLight(
    service === 'binance-service'
      ? waitedFor(own, states)
      : own.flatMap((state) => state.absent).filter((one) => !isOfCreon(one) && !isOfBinance(one)),
  )
}

/** What Binance's service itself waits for; and where that is nothing, what others wait for from it: one light for one broker. */
function waitedFor(own: readonly HostState[], all: readonly HostState[]): string[] {
  const ours = own.flatMap((state) => state.absent)
  if (ours.length > 0 || own.length === 0) return ours
  return [...new Set(all.flatMap((state) => state.absent).filter(isOfBinance))]
}
