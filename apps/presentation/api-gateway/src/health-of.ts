/** What of the status tells whether all is well. */
import type { HealthView, StatusView } from '@jts/contracts/gateway'

export function healthOf({ tradingState, tradingStateReason, services, accountStates }: StatusView): HealthView {
  const isDown = services.some(({ state }) => state === 'down')
  const isWell =
    services.every(({ state, breaker }) => state === 'up' && breaker === undefined) && accountStates.length === 0
  return {
    status: isDown ? 'down' : isWell ? 'up' : 'degraded',
    tradingState,
    ...(tradingStateReason === undefined ? {} : { tradingStateReason }),
    services,
    accountStates,
  }
}
