/** Books money that moves without a trade, once: as the broker tells of it, or as a person says after a comparison. */
import { BrokerError, type AdjustmentReport } from '@jts/broker-kit'
import { RpcError } from '@jts/contracts'
import type { AdjustBalanceRequest, AdjustBalanceResponse } from '@jts/contracts/orders-api'
import {
  ADJUSTMENT_REASONS,
  ADJUSTMENT_SIGNS,
  formatUnits,
  isAdjustmentReason,
  parseUnits,
  type AdjustmentReason,
  type Units,
} from '@jts/model'
import { computedId } from '@jts/runtime'
import type { Turn } from '@jts/transport'
import { adjustments, type AdjustmentRow } from '../adapters/tables.ts'
import type { Adjustment } from '../domain/adjustments.ts'
import type { AccountState } from './account-state.ts'
import type { FillSearch } from './fill-search.ts'
import { ATTEMPTS, reportBalances } from './reconciliation.ts'
import { holdingsOf, type Holdings } from './totals.ts'

export class BalanceAdjusting {
  readonly #state: AccountState
  readonly #fillSearch: FillSearch

  constructor(state: AccountState, fillSearch: FillSearch) {
    this.#state = state
    this.#fillSearch = fillSearch
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

  /**
   * What differs between the ledger and the broker, as a person explains it. The balances are read between two readings of the
   * fills, as in a comparison; nothing is booked but the whole difference of this moment, and only what an earlier look found, too.
   */
  async bookDifference(request: AdjustBalanceRequest): Promise<AdjustBalanceResponse> {
    const state = this.#state
    const { account, adjustments: known, options } = state
    const { activity, store } = options
    const { currency, reason } = request
    const amount = amountOf(request)
    if (!state.opened || !state.ready) {
      throw new RpcError(
        'FAILED_PRECONDITION',
        `${account}: expected all that its broker says to be read, found that it is not yet: the order stream fell, or a request was not taken; ask again`,
      )
    }
    const isNow = (): boolean =>
      state.fillCount === request.fillCount && known.totalOf(currency) === parseUnits(request.adjusted)
    const moved = { outcome: 'moved', adjustmentId: '', venue: '', difference: '' }
    return activity.during(state.activityName, async () => {
      // A ledger that is behind costs the broker no question.
      if (!isNow()) return moved
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const read = await this.#holdings()
        if (read === undefined) continue
        const { holdings, readUs } = read
        const venue = parseUnits(holdings.totals.find((one) => one.currency === currency)?.amount ?? '0')
        const difference = venue - parseUnits(request.ledger)
        const figures = { adjustmentId: '', venue: formatUnits(venue), difference: formatUnits(difference) }
        if (!isNow()) return moved
        const last = known.lastByPerson(currency)
        if (difference === 0n && last?.amount === amount && last.reason === reason) {
          return { ...figures, outcome: 'already', adjustmentId: last.adjustmentId }
        }
        if (difference !== amount) return { outcome: 'differs', ...figures }
        if (request.seen !== figures.difference) {
          store.transact((turn) => reportBalances(state, holdings, turn))
          return { outcome: 'seen', ...figures }
        }
        const adjustmentId = computedId('adjustment', account, String(known.count), currency, formatUnits(amount))
        const said = { reason: reason as AdjustmentReason, by: request.by || 'person', words: request.words.trim() }
        store.transact((turn) => {
          this.#book({ adjustmentId, currency, amount, ...said, source: 'person', noticeId: '', timeUs: readUs }, turn)
          // The two are equal now: the next word of the comparison says so.
          reportBalances(state, holdings, turn)
        }, 'durable')
        await store.durable()
        return { ...figures, outcome: 'booked', adjustmentId }
      }
      throw new RpcError(
        'FAILED_PRECONDITION',
        `${account}: expected the account to hold still, found fills coming in; ask again`,
      )
    })
  }

  /**
   * Read between two readings of the fills; undefined where one came meanwhile.
   *
   * @throws RpcError while the broker does not answer: nothing has been booked
   */
  async #holdings(): Promise<{ holdings: Holdings; readUs: number } | undefined> {
    const state = this.#state
    const { broker, marketClock } = state.options
    try {
      await this.#fillSearch.everywhere()
      const before = state.bookings
      const readUs = marketClock.nowUs()
      const holdings = await holdingsOf(broker)
      return (await this.#fillSearch.everywhere()) && before === state.bookings ? { holdings, readUs } : undefined
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      const found = `${state.account}: expected an answer of the broker, found ${error.message}`
      throw new RpcError('FAILED_PRECONDITION', error.retryable ? `${found}; ask again` : found, { cause: error })
    }
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

/** @throws RpcError for what can never be booked */
function amountOf({ amount: text, currency, reason, words }: AdjustBalanceRequest): Units {
  const refuse = (field: string, wanted: string, found: string): never => {
    throw new RpcError('INVALID_ARGUMENT', `${field}: expected ${wanted}, found ${JSON.stringify(found)}`)
  }
  if (!/^[A-Z0-9]{1,16}$/.test(currency)) refuse('asset', 'one as the broker calls it, such as USDT', currency)
  if (!/^-?\d{1,15}(\.\d{1,8})?$/.test(text)) refuse('amount', 'a decimal of at most 8 places, such as -12.5', text)
  if (!isAdjustmentReason(reason)) refuse('reason', `one of ${ADJUSTMENT_REASONS.join(', ')}`, reason)
  if (words.trim() === '') refuse('words', 'what a person says about it', words)
  const amount = parseUnits(text)
  const sign = ADJUSTMENT_SIGNS[reason as AdjustmentReason]
  if (amount === 0n || (sign === 1 && amount < 0n) || (sign === -1 && amount > 0n)) {
    const wanted = sign === undefined ? 'more or less than 0' : `a ${reason} ${sign === 1 ? 'above' : 'below'} 0`
    refuse('amount', wanted, text)
  }
  return amount
}
