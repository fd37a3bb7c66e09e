/**
 * The rest of several processes: all units idle, everything produced handled, everything that a broker service has sent read, and
 * the same at a second look.
 */
import type { SentCounters } from '@jts/contracts/lock-step'
import { HostServiceService, type IdleReport, type WhenIdleRequest } from '@jts/contracts/host-api'
import type { Logger } from '@jts/runtime'
import type { RpcLink } from '@jts/transport/rpc/grpc-client'
import type { Rest } from '../rest.ts'

/** Longer than a service takes to come back after a kill. */
const DEADLINE_MS = 20_000

/** A connection to a broker service has both ports in its name, one to the venue our own alone. */
const isOfBrokerService = (name: string): boolean => name.includes('-')

type UnitLink = { readonly name: string; readonly link: Pick<RpcLink, 'call' | 'isClosed'> }

export class DistributedRest implements Rest {
  readonly #units: readonly UnitLink[]
  readonly #log: Logger
  readonly #produced = new Map<string, number>()
  #received: Record<string, number> = {}
  /** By the broker services to their readers, as of the last look. */
  #sentOn: Record<string, number> = {}
  #advanceToUs = 0

  constructor(units: readonly UnitLink[], log: Logger) {
    this.#units = units
    this.#log = log
  }

  async whenIdle(sent: SentCounters): Promise<void> {
    for (let last = ''; ;) {
      const request = {
        advanceToUs: this.#advanceToUs,
        produced: Object.fromEntries(this.#produced),
        sent: { ...sent, ...this.#sentOn },
      }
      const reports = await Promise.all(this.#units.map((unit) => this.#ask(unit, request)))
      this.#received = Object.assign({}, ...reports.map((report) => report.received)) as Record<string, number>
      this.#sentOn = Object.assign({}, ...reports.map((report) => report.sent)) as Record<string, number>
      for (const { produced } of reports) {
        for (const [place, end] of Object.entries(produced)) {
          this.#produced.set(place, Math.max(this.#produced.get(place) ?? 0, end))
        }
      }
      // Work that began and ended between the two looks may have reached a process that had answered already.
      const look = JSON.stringify([
        reports.map(({ begun, startedAtUs }) => [begun, startedAtUs]),
        [...this.#produced],
        this.#sentOn,
      ])
      if (look === last) return
      last = look
    }
  }

  /** Of the venue's own connections: it compares each that it is told of. */
  received(): SentCounters {
    return Object.fromEntries(Object.entries(this.#received).filter(([name]) => !isOfBrokerService(name)))
  }

  advanceTo(timeUs: number): void {
    this.#advanceToUs = timeUs
  }

  /** A unit whose owner is away is waited for: it comes back, there or elsewhere, and is not at rest before. */
  async #ask({ name, link }: UnitLink, request: WhenIdleRequest): Promise<IdleReport> {
    for (;;) {
      try {
        return await link.call(HostServiceService.whenIdle, request, true, { deadlineMs: DEADLINE_MS })
      } catch (error) {
        if (link.isClosed) throw error
        this.#log.warn({ unit: name, err: error }, 'a unit has not come to rest; asking again')
      }
    }
  }
}
