/**
 * The account's order notices, over the WebSocket API with a signed subscription.
 * https://developers.binance.com/docs/binance-spot-api-docs/websocket-api/user-data-stream-requests
 */
import { LastingStream, messageOf, UnreadableFrame, type BrokerListener, type StreamTimings } from '@jts/broker-kit'
import type { Activity, Logger, WallClock } from '@jts/runtime'
import type { Signer } from './adapters/auth.ts'
import { CODE } from './adapters/errors.ts'
import {
  parseJson,
  readAccountPosition,
  readBalanceUpdate,
  readExecutionReport,
  readReply,
} from './adapters/messages.ts'
import { toAdjustment, toBalances, toNotice } from './adapters/translate.ts'
import type { VenueClock } from './venue-clock.ts'

export type OrderStreamOptions = {
  readonly url: string
  readonly participant: string
  readonly signer: Signer
  readonly clock: WallClock
  readonly venueClock: VenueClock
  readonly activity?: Activity | undefined
  readonly log: Logger
  readonly timings?: Partial<StreamTimings> | undefined
  readonly random?: (() => number) | undefined
  /** The venue refused our timestamp. */
  readonly onClockRefused: () => void
}

type Frame = { readonly event?: { readonly e?: unknown }; readonly id?: unknown }
type Deliver = (listener: BrokerListener) => void

export function openOrderStream(options: OrderStreamOptions, listener: BrokerListener): { stop(): Promise<void> } {
  const { signer, venueClock, log } = options
  let requestId = 0

  const stream: LastingStream = new LastingStream({
    ...options,
    // A strategy's answer to a fill is judged before the next fill is booked, however the frames come in.
    oneByOne: true,
    onOpen() {
      const params = signer.signedParams({ timestamp: Math.floor(venueClock.nowUs() / 1000), recvWindow: 5000 })
      stream.send(JSON.stringify({ id: ++requestId, method: 'userDataStream.subscribe.signature', params }))
    },
    onText(text) {
      // Read first and hand over afterwards, so that a listener's own error is not taken for an unreadable frame.
      const deliver = readFrame(text)
      deliver?.(listener)
    },
    onUp: () => listener.onOrderStream('up', 'subscribed'),
    onDown: (reason) => listener.onOrderStream('down', reason),
  })

  function readFrame(text: string): Deliver | undefined {
    try {
      const frame = parseJson('order stream', text) as Frame | null
      if (frame?.event !== undefined) return readEvent(frame.event)
      return readSubscribed(frame)
    } catch (error) {
      throw new UnreadableFrame(messageOf(error), { cause: error })
    }
  }

  function readEvent(event: { readonly e?: unknown }): Deliver | undefined {
    switch (event.e) {
      case 'executionReport': {
        const { report, fill } = toNotice(readExecutionReport(event))
        return (to) => to.onOrder(report, fill)
      }
      case 'outboundAccountPosition': {
        const { balances, timeUs } = toBalances(readAccountPosition(event))
        return (to) => to.onBalances(balances, timeUs)
      }
      case 'balanceUpdate': {
        const adjustment = toAdjustment(readBalanceUpdate(event))
        return (to) => to.onAdjustment(adjustment)
      }
      case 'serverShutdown':
      case 'eventStreamTerminated':
        return () => stream.reconnect(String(event.e))
      default:
        // Order lists and whatever the venue adds: not about orders of ours.
        return undefined
    }
  }

  function readSubscribed(frame: unknown): Deliver | undefined {
    const reply = readReply(frame)
    if (reply.id !== requestId) return undefined
    if (reply.status === 200) return () => stream.up()
    const refusal = reply.error
    log.error({ status: reply.status, code: refusal?.code, message: refusal?.msg }, 'binance: order stream refused')
    if (refusal?.code === CODE.clockOutside) options.onClockRefused()
    return () => stream.reconnect(`subscription refused: ${refusal?.code ?? reply.status} ${refusal?.msg ?? ''}`)
  }

  stream.start()
  return { stop: () => stream.stop() }
}
