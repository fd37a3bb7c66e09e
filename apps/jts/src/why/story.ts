/** The story of an order as steps in plain words: the tick, the signal, risk's figures, the request, the answers, the money. */
import type { BusEvent, BusEventOf, Payload } from '@jts/contracts'
import { notificationOf } from '@jts/notification-service/domain/notification'
import type { Found } from './find.ts'
import type { LedgerEffect } from './ledger-effect.ts'

export type StepKind =
  'tick' | 'signal' | 'risk' | 'approval' | 'intent' | 'cancel' | 'answer' | 'fill' | 'ledger' | 'end' | 'told'

export type Step = {
  readonly kind: StepKind
  readonly timeUs: number
  readonly text: string
  /** Figures behind it, one a line. */
  readonly details: readonly string[]
  /** The event that says so; a cause that is no longer kept has only its id. */
  readonly eventId: string
}

type Words = Pick<Step, 'kind' | 'text'> & { readonly details?: readonly string[] }

/** Steps in the order in which one follows from the other. */
export function tellStory({ events, ticks, gone, effects }: Found): readonly Step[] {
  const steps: Step[] = [
    ...gone.map((eventId): Step => ({
      kind: 'tick',
      timeUs: 0,
      text: `${eventId} caused it; that event is no longer kept`,
      details: [],
      eventId,
    })),
    ...ticks.flatMap(stepsOf),
  ]
  for (const event of inOrder(events)) {
    steps.push(...stepsOf(event))
    const effect = effects.get(event.eventId)
    if (effect !== undefined) steps.push(step(event, ledgerWords(effect)))
    const notification = notificationOf(event, 'en')
    if (notification !== undefined) {
      steps.push(step(event, { kind: 'told', text: `a person: ${notification.title}: ${notification.text}` }))
    }
  }
  return steps
}

/** Of events with one market time: a signal before its approval before its order. */
const RANKS = ['market-data', 'strategy.signals', 'risk.alerts', 'orders.signals', 'orders.events'] as const

function rankOf({ topic }: BusEvent): number {
  return RANKS.findIndex((one) => topic.startsWith(one))
}

/** By time, but never against a stream's own order: the venue's clock and ours may differ. */
function inOrder(events: readonly BusEvent[]): readonly BusEvent[] {
  const latest = new Map<string, number>()
  const timed = [...events]
    .sort((a, b) => a.sequence - b.sequence)
    .map((event) => {
      const stream = `${event.topic}/${event.stream}`
      const timeUs = Math.max(event.timeEventUs, latest.get(stream) ?? 0)
      latest.set(stream, timeUs)
      return { event, timeUs }
    })
  return timed
    .sort((a, b) => a.timeUs - b.timeUs || rankOf(a.event) - rankOf(b.event) || a.event.sequence - b.event.sequence)
    .map(({ event }) => event)
}

function step({ timeEventUs, eventId }: BusEvent, { kind, text, details = [] }: Words): Step {
  return { kind, timeUs: timeEventUs, text, details, eventId }
}

function stepsOf(event: BusEvent): Step[] {
  return wordsOf(event).map((words) => step(event, words))
}

function wordsOf(event: BusEvent): readonly Words[] {
  switch (event.type) {
    case 'Candle': {
      const { instrument, timeframe, open, high, low, close, volume, source } = event.payload
      const text = `${instrument} ${timeframe} bar of ${source} closed at ${close}`
      return [{ kind: 'tick', text, details: [`open ${open}, high ${high}, low ${low}, volume ${volume}`] }]
    }
    case 'PublicTrade': {
      const { instrument, tradeId, price, quantity, aggressor } = event.payload
      return [{ kind: 'tick', text: `${instrument} trade ${tradeId}: ${quantity} at ${price}, ${aggressor} aggressor` }]
    }
    case 'StrategySignal':
      return signalWords(event)
    case 'SignalWaiting':
      return [
        wantedWords(event),
        { kind: 'signal', text: `waits: its market takes orders from ${timeText(event.payload.notBeforeUs)} on` },
      ]
    case 'ApprovedSignal': {
      const { quantityText, quoteQuantity, symbol, validUntilUs } = event.payload
      const size = quantityText || `for ${quoteQuantity}`
      return [
        { kind: 'approval', text: `${event.payload.side} ${size} ${symbol}; valid until ${timeText(validUntilUs)}` },
      ]
    }
    case 'CancelRequested': {
      const { reason } = event.payload
      return [{ kind: 'cancel', text: reason === '' ? 'no longer wanted' : `no longer wanted: ${reason}` }]
    }
    // The signal has said it already.
    case 'RiskAlert':
      return []
    case 'OrderSubmitting': {
      const { terms, clientOrderId, requestNumber } = event.payload
      return [
        {
          kind: 'intent',
          text: `order ${terms?.ref?.orderId} is on disk; request ${requestNumber} goes to the wire once, as client order ${clientOrderId}`,
          details: [termsText(terms)],
        },
      ]
    }
    case 'OrderAccepted':
      return [{ kind: 'answer', text: `accepted by the venue as order ${event.payload.venueOrderId}` }]
    case 'OrderUnknown':
      return [
        { kind: 'answer', text: `no readable answer (${event.payload.reason}); never sent again, settled by asking` },
      ]
    case 'OrderRejected':
      return [{ kind: 'end', text: `rejected by the venue: ${reasonText(event.payload)}` }]
    case 'OrderDenied':
      return [{ kind: 'end', text: `not sent: ${reasonText(event.payload)}` }]
    case 'SignalExpired':
      return [{ kind: 'end', text: `the signal expired: ${reasonText(event.payload)}` }]
    case 'OrderPendingCancel':
      return [{ kind: 'cancel', text: `cancel ${event.payload.cancelId} is on disk and goes to the wire` }]
    case 'OrderCancelled':
      return [{ kind: 'end', text: `cancelled with ${event.payload.cumulativeQuantity} filled` }]
    case 'OrderExpired': {
      const { cumulativeQuantity } = event.payload
      return [{ kind: 'end', text: `expired with ${cumulativeQuantity} filled: ${reasonText(event.payload)}` }]
    }
    case 'OrderFilled': {
      const { lastQuantity, lastPrice, fee, feeCurrency, liquidity, leavesQuantity, tradeId, idSource } = event.payload
      const left = leavesQuantity === '0' ? 'nothing is left' : `${leavesQuantity} is left`
      return [
        {
          kind: 'fill',
          text: `${lastQuantity} at ${lastPrice} as ${liquidity}, fee ${fee} ${feeCurrency}; ${left}`,
          details: [`trade ${tradeId} (id from ${idSource})`],
        },
      ]
    }
    case 'BalanceAdjusted': {
      const { adjustmentId, currency, amount, reason, source, noticeId, by, words } = event.payload
      const who = source === 'person' ? `booked by ${by}: ${words}` : `told by the broker (${noticeId})`
      return [
        { kind: 'ledger', text: `${amount} ${currency} without a trade: ${reason}, ${who}`, details: [adjustmentId] },
      ]
    }
    case 'ForeignFill': {
      const { side, quantity, price, instrument } = event.payload
      return [{ kind: 'fill', text: `of no order of ours: ${side} ${quantity} ${instrument} at ${price}` }]
    }
    default:
      return [{ kind: 'answer', text: event.type }]
  }
}

function wantedWords({ payload }: BusEventOf<'StrategySignal' | 'SignalWaiting'>): Words {
  const { strategy, account, side, quantity, quoteQuantity, instrument, orderType, limitPrice, price } = payload
  const size = quantity === '' ? `for ${quoteQuantity}` : quantity
  const at = limitPrice === '' ? orderType : `${orderType} ${limitPrice}`
  return {
    kind: 'signal',
    text: `${strategy} wants to ${side} ${size} ${instrument} (${at}) on ${account}; last price ${price}`,
    details: [`signal ${payload.signalId}`],
  }
}

function signalWords(event: BusEventOf<'StrategySignal'>): readonly Words[] {
  const { payload } = event
  const details = payload.checks.map(
    ({ rule, passed, found }) => `${passed ? 'passed' : 'FAILED'} ${rule}${found === '' ? '' : `: ${found}`}`,
  )
  const share = `${Math.round(payload.riskScore * 1000) / 10} % of the tightest limit`
  return [
    wantedWords(event),
    {
      kind: 'risk',
      text: payload.approved
        ? `approved${payload.adjustedQuantity === payload.quantity ? '' : ` ${payload.adjustedQuantity}`}, using ${share}`
        : `denied: ${reasonText(payload)}`,
      details:
        details.length > 0 ? details : ['the figures of its checks were not yet recorded by the JTS that wrote this'],
    },
  ]
}

function ledgerWords({ cash, position, totalCost, realisedPnl }: LedgerEffect): Words {
  const money = Object.entries(cash).map(([currency, { before, after }]) => `cash ${currency} ${before} → ${after}`)
  return {
    kind: 'ledger',
    text: [`position ${position.before} → ${position.after}`, ...money].join('; '),
    details: [
      `total cost ${totalCost.before} → ${totalCost.after}; realised PnL ${realisedPnl.before} → ${realisedPnl.after}`,
    ],
  }
}

function termsText(terms: Payload<'OrderSubmitting'>['terms']): string {
  if (terms === undefined) return ''
  const { ref, orderType, quantity, quoteQuantity, limitPrice, timeInForce } = terms
  const size = quantity === '' ? `for ${quoteQuantity}` : quantity
  return `${ref?.side} ${size} ${ref?.instrument}, ${orderType}${limitPrice === '' ? '' : ` ${limitPrice}`}, ${timeInForce}`
}

function reasonText({ reasonCode, reason }: { readonly reasonCode: string; readonly reason: string }): string {
  return [reasonCode, reason].filter((one) => one !== '').join(': ')
}

export function timeText(timeUs: number): string {
  return timeUs === 0 ? '' : new Date(timeUs / 1000).toISOString()
}
