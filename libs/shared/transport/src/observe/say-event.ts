/**
 * One line in the log for each step of an order, when it is on disk: whoever greps for its correlation id reads its life, and
 * by whom each step was said. Market data is not said, nor is the copy of an event on a second topic.
 */
import type { NewEvent, Topic } from '@jts/contracts'
import type { Logger } from '@jts/runtime'

/** Who writes the topic; in one process the lines would not tell. */
const WRITERS: Partial<Record<Topic, string>> = {
  'strategy.signals': 'strategy-engine',
  'orders.events': 'order-execution',
  'risk.alerts': 'strategy-engine',
}

type Ref = {
  readonly orderId?: string
  readonly signalId?: string
  readonly strategy?: string
  readonly instrument?: string
}
type Told = Ref & {
  readonly ref?: Ref
  readonly terms?: { readonly ref?: Ref }
  readonly approved?: boolean
  readonly notBeforeUs?: number
  readonly reason?: string
  readonly reasonCode?: string
  readonly lastQuantity?: string
  readonly lastPrice?: string
  readonly venueOrderId?: string
  readonly clientOrderId?: string
  readonly currency?: string
  readonly amount?: string
  readonly by?: string
  readonly words?: string
}

/** Undefined where nobody would read it. */
export function eventSayer(log: Logger): ((topic: Topic, event: NewEvent) => void) | undefined {
  if (!log.isLevelEnabled('info')) return undefined
  return (topic, event) => {
    const service = WRITERS[topic]
    if (service === undefined) return
    const { type, account, correlationId } = event
    const told = event.payload as Told
    const ref = told.ref ?? told.terms?.ref ?? told
    const { orderId, signalId, strategy, instrument } = ref
    const { approved, notBeforeUs, reason, reasonCode, lastQuantity, lastPrice, clientOrderId, venueOrderId } = told
    const { currency, amount, by, words } = told
    const ofOrder = { approved, notBeforeUs, reasonCode, reason, lastQuantity, lastPrice, clientOrderId, venueOrderId }
    const figures = { ...ofOrder, currency, amount, by, words }
    log.info(
      { service, account, correlationId, orderId, signalId, strategy, instrument, ...withoutEmpty(figures) },
      type,
    )
  }
}

function withoutEmpty(figures: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== undefined && value !== ''))
}
