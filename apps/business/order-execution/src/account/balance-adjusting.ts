/** Books money that moves without a trade, once: as the broker tells of it, or as a person says after a comparison. */
import type { AdjustmentReport } from '@jts/broker-kit'
import { formatUnits, parseUnits, type AdjustmentReason } from '@jts/model'
import type { Turn } from '@jts/transport'
import { adjustments, type AdjustmentRow } from '../adapters/tables.ts'
import type { Adjustment } from '../domain/adjustments.ts'
import type { AccountState } from './account-state.ts'

export class BalanceAdjusting {
  readonly #state: AccountState

  constructor(state: AccountState) {
    this.#state = state
  }

  async restore(): Promise<void> {
    const { account, adjustments: known, options } = this.#state
    for (const row of await options.store.all(adjustments)) if (row.account === account) known.add(ofRow(row))
  }

  /** A notice of the broker. Before the books are open it belongs to the opening balance. */
  told(report: AdjustmentReport, turn: Turn): void {
    const { account, adjustments: known, opened, options } = this.#state
    known.heard++
    if (!opened) return
    const { noticeId, currency, amount, reason, timeUs } = report
    const adjustmentId = `${account}/${noticeId}`
    if (known.has(adjustmentId)) return
    if (known.isContained(report)) {
      options.log.warn({ account, noticeId, currency }, 'a notice of what the ledger has been set equal to since')
      return
    }
    const told = { source: 'broker', by: '', words: '' } as const
    this.#book({ adjustmentId, currency, amount, reason, noticeId, timeUs, ...told }, turn)
  }

  #book(adjustment: Adjustment, turn: Turn): void {
    const { account, adjustments: known } = this.#state
    const { adjustmentId, currency, reason, source, noticeId, by, words, timeUs } = adjustment
    const amount = formatUnits(adjustment.amount)
    known.add(adjustment)
    turn.put(adjustments, {
      account,
      adjustment_id: adjustmentId,
      currency,
      amount,
      reason,
      source,
      notice_id: noticeId,
      booked_by: by,
      words,
      time_us: timeUs,
    })
    turn.publish('orders.events', {
      type: 'BalanceAdjusted',
      stream: account,
      account,
      correlationId: `adjustment/${adjustmentId}`,
      causationId: '',
      timeEventUs: timeUs,
      payload: { adjustmentId, currency, amount, reason, source, noticeId, by, words },
    })
  }
}

function ofRow(row: AdjustmentRow): Adjustment {
  return {
    adjustmentId: row.adjustment_id,
    currency: row.currency,
    amount: parseUnits(row.amount),
    reason: row.reason as AdjustmentReason,
    source: row.source as Adjustment['source'],
    noticeId: row.notice_id,
    by: row.booked_by,
    words: row.words,
    timeUs: row.time_us,
  }
}
