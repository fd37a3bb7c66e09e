/** What was answered, under its signal's id: the same question is answered the same, also after a restart; another one is refused. */
import { RpcError } from '@jts/contracts'
import type { RiskCheckResponse } from '@jts/contracts/risk-api'
import { orderContent, type AccountId, type RiskIntent } from '@jts/model'
import type { Logger } from '@jts/runtime'
import type { Store, Turn } from '@jts/transport'
import { answers } from './adapters/tables.ts'

/** As they stand in the table: an answer has a figure for every rule, and is seldom asked for again. */
type Remembered = { readonly intent: string; readonly response: string }
type AnswerRow = NonNullable<(typeof answers)['row']>

/** Answers kept for repeated questions, in memory and in the table alike. */
const ANSWERS_KEPT = 4096

export class Answers {
  readonly #store: Store
  readonly #log: Logger
  readonly #known = new Map<string, Remembered>()

  constructor(store: Store, log: Logger) {
    this.#store = store
    this.#log = log
  }

  /** Remembers the latest, which may be asked for again; older ones leave the table, too. Returns both, oldest first. */
  async restore(): Promise<{ readonly all: readonly AnswerRow[]; readonly kept: readonly AnswerRow[] }> {
    const all = [...(await this.#store.all(answers))].sort((a, b) => a.time_us - b.time_us)
    const oldCount = Math.max(0, all.length - ANSWERS_KEPT)
    const kept = all.slice(oldCount)
    for (const { signal_id, intent, response } of kept) this.#known.set(signal_id, { intent, response })
    if (oldCount > 0) {
      this.#store.transact((turn) => {
        for (const { signal_id } of all.slice(0, oldCount)) turn.remove(answers, { signal_id })
      })
    }
    return { all, kept }
  }

  /** @throws RpcError ALREADY_EXISTS when the same id was given with other content */
  find(signalId: string, content: string): RiskCheckResponse | undefined {
    const before = this.#known.get(signalId)
    if (before === undefined) return undefined
    if (before.intent === content) return JSON.parse(before.response) as RiskCheckResponse
    this.#log.error({ signalId }, 'a signal id came again with other content')
    throw new RpcError('ALREADY_EXISTS', `signal ${signalId}: expected the content first given, found other content`)
  }

  keep(signalId: string, content: string, response: RiskCheckResponse, nowUs: number, turn: Turn): void {
    const answer = { intent: content, response: JSON.stringify(response) }
    turn.put(answers, { signal_id: signalId, ...answer, time_us: nowUs })
    this.#known.set(signalId, answer)
    if (this.#known.size <= ANSWERS_KEPT) return
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest)
      turn.remove(answers, { signal_id: oldest })
      break
    }
  }
}

/** The orders whose repetition is still refused: those approved within the window before the last answer. */
export function recentOrders(given: readonly AnswerRow[], windowUs: number): [string, number][] {
  const sinceUs = (given.at(-1)?.time_us ?? 0) - windowUs
  return given
    .filter(({ time_us, response }) => time_us > sinceUs && isApproved(response))
    .map(({ intent, time_us }) => [orderContent(JSON.parse(intent) as Parameters<typeof orderContent>[0]), time_us])
}

export function approvals(given: readonly AnswerRow[]): { readonly account: AccountId; readonly timeUs: number }[] {
  return given
    .filter(({ response }) => isApproved(response))
    .map(({ intent, time_us: timeUs }) => ({ account: (JSON.parse(intent) as RiskIntent).account, timeUs }))
}

export function intentText(intent: RiskIntent): string {
  return JSON.stringify(intent, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
}

const isApproved = (response: string): boolean => (JSON.parse(response) as RiskCheckResponse).approved
