/** What acts on the account: orders and cancels, each written at most once and answered with an honest outcome. */
import {
  messageOf,
  type BeforeWrite,
  type BrokerPort,
  type CancelOrderIntent,
  type CancelOutcome,
  type NotSent,
  type PlaceOrderIntent,
  type PlaceOutcome,
} from '@jts/broker-kit'
import type { NotSentCode } from '@jts/model'
import type { Param } from './adapters/auth.ts'
import { CODE, isCancelForbidden, isDuplicateOrder } from './adapters/errors.ts'
import type { BinanceHttp, Outcome, TradingCall } from './adapters/http.ts'
import { WEIGHT } from './adapters/limits.ts'
import { readCancelledOrder, readNewOrder } from './adapters/messages.ts'
import { toSymbol } from './adapters/symbols.ts'
import { toCancelled, toNewOrderParams, toPlaced } from './adapters/translate.ts'
import { deadlineUsOf, toSignedWindow, whyForeign, whyInvalid, whyInvalidId } from './intent.ts'

type Decided = Exclude<Outcome, { kind: 'not_written' | 'no_budget' }> | NotSent
export type OrderName = Parameters<BrokerPort['queryOrder']>[0]

export type Trading = Pick<BrokerPort, 'placeOrder' | 'cancelOrder' | 'setGate'>

/** @param nowUs the venue's clock: both `sendBefore` and the venue's own refusal are measured by it. */
export function createTrading(http: Pick<BinanceHttp, 'act'>, nowUs: () => number): Trading {
  let gate: 'open' | 'halted' = 'open'

  /** Sends what acts. `check` runs now and again in the moment before the first byte, where it is the last word. */
  async function act(call: Omit<TradingCall, 'beforeWrite'>, check: () => NotSent | undefined): Promise<Decided> {
    let refusal = check()
    if (refusal) return refusal
    const beforeWrite = (): string | undefined => (refusal = check())?.message
    const outcome = await http.act({ ...call, beforeWrite })
    if (outcome.kind === 'no_budget') return notSent('RATE_BUDGET', outcome.message)
    if (outcome.kind !== 'not_written') return outcome
    return (outcome.refusedBy === 'check' ? refusal : undefined) ?? notSent('BROKER_UNAVAILABLE', outcome.message)
  }

  function tooLate(deadlineUs: number): NotSent | undefined {
    const lateUs = nowUs() - deadlineUs
    return lateUs < 0 ? undefined : notSent('TOO_LATE', `${lateUs / 1000} ms past the time to send before`)
  }

  async function placeOrder(intent: PlaceOrderIntent, beforeWrite?: BeforeWrite): Promise<PlaceOutcome> {
    const invalid = whyInvalid(intent)
    if (invalid !== undefined) return notSent('INVALID', invalid)
    const window = toSignedWindow(intent)
    const deadlineUs = deadlineUsOf(window)
    const outcome = await act(
      {
        method: 'POST',
        path: '/api/v3/order',
        security: 'signed',
        params: toNewOrderParams(intent),
        priority: intent.reduceOnly ? 'reduce' : 'order',
        weight: WEIGHT.newOrder,
        orders: 1,
        window,
        deadlineUs,
      },
      () =>
        gate === 'halted'
          ? notSent('GATE_HALTED', 'the gate of the broker is halted')
          : (beforeWrite?.() ?? tooLate(deadlineUs)),
    )
    switch (outcome.kind) {
      case 'ok':
        return readPlaced(intent, outcome.body)
      case 'refused':
        if (isDuplicateOrder(outcome.refusal)) return { kind: 'unknown', message: outcome.message }
        return { kind: 'rejected', code: outcome.code, message: outcome.message, timeUs: nowUs() }
      case 'not_sent':
        return outcome
      case 'lost':
      case 'undecided':
        return { kind: 'unknown', message: outcome.message }
    }
  }

  async function cancelOrder(order: CancelOrderIntent, beforeWrite?: BeforeWrite): Promise<CancelOutcome> {
    const invalid = whyForeign(order.instrument) ?? whyInvalidId(order.clientOrderId) ?? whyInvalidId(order.cancelId)
    if (invalid !== undefined) return notSent('INVALID', invalid)
    const window = toSignedWindow(order)
    const deadlineUs = deadlineUsOf(window)
    const params: Param[] = [...named(order), ['newClientOrderId', order.cancelId]]
    const outcome = await act(
      {
        method: 'DELETE',
        path: '/api/v3/order',
        security: 'signed',
        params,
        priority: 'cancel',
        weight: WEIGHT.cancelOrder,
        orders: 0,
        window,
        deadlineUs,
      },
      () => beforeWrite?.() ?? tooLate(deadlineUs),
    )
    switch (outcome.kind) {
      case 'ok':
        return read(() => ({ kind: 'cancelled', report: toCancelled(readCancelledOrder(outcome.body)) }))
      case 'refused':
        if (outcome.refusal.code === CODE.cancelRejected && !isCancelForbidden(outcome.refusal)) {
          return { kind: 'not_open', message: outcome.message }
        }
        return { kind: 'rejected', code: outcome.code, message: outcome.message }
      case 'not_sent':
        return outcome
      case 'lost':
      case 'undecided':
        return { kind: 'unknown', message: outcome.message }
    }
  }

  return {
    placeOrder,
    cancelOrder,
    setGate(state) {
      gate = state
    },
  }
}

/** The answer must be about our order: anything else proves nothing about it. */
function readPlaced(intent: PlaceOrderIntent, body: unknown): PlaceOutcome {
  return read(() => {
    const { report, fills: taken } = toPlaced(readNewOrder(body))
    if (report.clientOrderId !== intent.clientOrderId || report.instrument !== intent.instrument) {
      const found = `${report.clientOrderId} in ${report.instrument}`
      return { kind: 'unknown', message: `expected the answer to ${intent.clientOrderId}, found ${found}` }
    }
    return { kind: 'accepted', report, fills: taken }
  })
}

const notSent = (code: NotSentCode, message: string): NotSent => ({ kind: 'not_sent', code, message })

export const named = (order: OrderName): Param[] => [
  ['symbol', toSymbol(order.instrument)],
  ['origClientOrderId', order.clientOrderId],
]

function read<T>(work: () => T): T | { kind: 'unknown'; message: string } {
  try {
    return work()
  } catch (error) {
    return { kind: 'unknown', message: messageOf(error) }
  }
}
