/**
 * Services that stand still in the event log, at an event that they could not take. Their accounts only reduce meanwhile; a
 * person who resumes has them try again, and is told where one stands all the same.
 */
import type { OrderExecutionApi } from '@jts/contracts'
import type { Stop } from '@jts/contracts/host-api'

export function stopReason({ topic, eventId, reason }: Pick<Stop, 'topic' | 'eventId' | 'reason'>): string {
  return `it stands still in ${topic} at ${eventId}, which it could not take: ${reason}`
}

/** A person who resumes lifts no hold of a service that stands still: what lifts it is that the service reads on. */
export function readingAgain(
  orders: OrderExecutionApi,
  readAgain: () => Promise<readonly Pick<Stop, 'reader' | 'topic' | 'eventId' | 'reason'>[]>,
): OrderExecutionApi {
  return {
    listOrders: (request) => orders.listOrders(request),
    cancelOrder: (request) => orders.cancelOrder(request),
    halt: (request) => orders.halt(request),
    resumeStrategy: (request) => orders.resumeStrategy(request),
    getTradingState: (request) => orders.getTradingState(request),
    adjustBalance: (request) => orders.adjustBalance(request),
    async resume(request) {
      const stops = await readAgain()
      const answer = await orders.resume(request)
      const still = stops.map((stop) => `${stop.reader}: ${stopReason(stop)}; its accounts only reduce`)
      return { ...answer, message: [answer.message, ...still].filter((one) => one !== '').join('. ') }
    },
  }
}
