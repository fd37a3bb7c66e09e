/**
 * The broker contract suite: decides whether a broker has joined. Written against the ports, so that the same cases run in
 * process, over HTTP through the client, and against any address.
 */
import type { BrokerPort, Capabilities, MarketDataPort } from '../port.ts'
import type { InstrumentId } from '@jts/model'
import type { WallClock } from '@jts/runtime'
import { messageOf } from '../message-of.ts'
import { CAPABILITY_TABLE, type TableEntry } from '../capability-table.ts'
import type { RawApi } from './raw-api.ts'

/** How far a run may go: reading, orders far from the market that rest and are cancelled, or everything. */
export type Boldness = 'read' | 'far' | 'full'

/** What only someone who controls the venue can bring about. */
export type VenueControl = {
  /** Executes a part of an open order. */
  readonly fillPart?: (clientOrderId: string) => Promise<void>
  /** The next request to place is taken by the venue, and its answer is lost. */
  readonly loseNextAnswer?: () => Promise<void>
  /** Money comes into the account, or (negative) goes out, without a trade. */
  readonly moveMoney?: (currency: string, amount: string) => Promise<void>
  /** Cuts the order stream; it comes back by itself. */
  readonly dropStreams?: () => Promise<void>
}

export type SuiteTarget = {
  readonly broker: BrokerPort
  readonly market: MarketDataPort
  readonly instrument: InstrumentId
  readonly clock: WallClock
  readonly boldness: Boldness
  /** The service itself, for what a port cannot say: signatures, bad input, repeated requests. */
  readonly raw?: RawApi
  readonly control?: VenueControl
  /** Ids of this run's requests begin with it: no run meets another's. */
  readonly prefix: string
}

export type SuiteCase = {
  readonly group: string
  readonly title: string
  readonly needs: Boldness
  readonly needsRaw?: true
  readonly needsControl?: keyof VenueControl
  /** False: the capability table allows «not supported». */
  readonly supported?: (table: TableEntry) => boolean
  readonly run: (target: SuiteTarget) => Promise<void>
}

export type CaseResult = {
  readonly group: string
  readonly title: string
  readonly outcome: 'passed' | 'failed' | 'not_supported' | 'not_run'
  readonly expected?: string
  readonly found?: string
  readonly reason?: string
}

/** What a case asserts: the report says what was expected and what was found. */
export class Unmet extends Error {
  override readonly name = 'Unmet'
  readonly expected: string
  readonly found: string
  constructor(what: string, expected: unknown, found: unknown) {
    super(`${what}: expected ${text(expected)}, found ${text(found)}`)
    this.expected = `${what}: ${text(expected)}`
    this.found = text(found)
  }
}

export function text(value: unknown): string {
  if (typeof value === 'string') return value
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? `${one}n` : one)) ?? String(value)
}

export function expectEqual(what: string, found: unknown, expected: unknown): void {
  if (text(found) !== text(expected)) throw new Unmet(what, expected, found)
}

export function expectTrue(what: string, isSo: boolean, found: unknown): void {
  if (!isSo) throw new Unmet(what, 'so', found)
}

/** Waits for something that the other side does in its own time. */
export async function expectSoon(clock: WallClock, what: string, isSo: () => boolean, limitMs = 20_000): Promise<void> {
  const untilUs = clock.nowUs() + limitMs * 1000
  while (!isSo()) {
    if (clock.nowUs() > untilUs) throw new Unmet(what, `within ${limitMs} ms`, 'not so')
    await pause(clock, 10)
  }
}

export function pause(clock: WallClock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve))
}

const BOLDNESS: readonly Boldness[] = ['read', 'far', 'full']

/** One case after the other: they share an account. */
export async function runSuite(
  cases: readonly SuiteCase[],
  target: SuiteTarget,
  onResult: (result: CaseResult) => void = () => undefined,
): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = []
  const table = CAPABILITY_TABLE[target.broker.capabilities.broker]
  for (const one of cases) {
    const { group, title } = one
    const result = { group, title, ...(await outcomeOf(one, target, table)) }
    results.push(result)
    onResult(result)
  }
  return results
}

async function outcomeOf(
  one: SuiteCase,
  target: SuiteTarget,
  table: TableEntry | undefined,
): Promise<Omit<CaseResult, 'group' | 'title'>> {
  if (table !== undefined && one.supported?.(table) === false) {
    return { outcome: 'not_supported', reason: `by the capability table of ${table.asOf}` }
  }
  if (BOLDNESS.indexOf(target.boldness) < BOLDNESS.indexOf(one.needs)) {
    return { outcome: 'not_run', reason: one.needs === 'far' ? 'places orders far from the market' : 'trades' }
  }
  if (one.needsRaw === true && target.raw === undefined) return { outcome: 'not_run', reason: 'needs an address' }
  if (one.needsControl !== undefined && target.control?.[one.needsControl] === undefined) {
    return { outcome: 'not_run', reason: `needs a venue under control (${one.needsControl})` }
  }
  try {
    await one.run(target)
    return { outcome: 'passed' }
  } catch (error) {
    if (error instanceof Unmet) return { outcome: 'failed', expected: error.expected, found: error.found }
    return { outcome: 'failed', expected: 'no error', found: messageOf(error) }
  }
}

/** What the table has and the service does not state; each is a «not supported» that nothing allows. */
export function missingFrom(stated: Capabilities, table: TableEntry): readonly string[] {
  const lists = ['orderTypes', 'timeInForce', 'marketBuySizes', 'marketSellSizes', 'streams'] as const
  const flags = ['amend', 'trades', 'quotes', 'orderBook', 'positions', 'adjustments'] as const
  return [
    ...lists.flatMap((name) => {
      const has = stated[name] as readonly string[]
      return (table[name] as readonly string[]).filter((one) => !has.includes(one)).map((one) => `${name}: ${one}`)
    }),
    ...flags.filter((name) => table[name] && stated[name] !== true),
    ...table.routes.filter((route) => stated.routes?.includes(route) !== true).map((route) => `routes: ${route}`),
    ...(stated.clientOrderIds === table.clientOrderIds ? [] : [`clientOrderIds: ${table.clientOrderIds}`]),
    ...(stated.absenceProof === table.absenceProof ? [] : [`absenceProof: ${table.absenceProof}`]),
  ]
}
