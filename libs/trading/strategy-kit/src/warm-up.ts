/**
 * Settled bars that a strategy sees before it may trade, so that its indicators are ready at its first live bar. Its handlers run;
 * what they ask for is no order.
 */
import type { AnyStrategy } from './define-strategy.ts'
import type { ParameterTable, ParameterValues } from './parameters.ts'
import { StrategyError } from './strategy-error.ts'

/** Forty years of days, or a week of minutes: more than any indicator remembers, and few enough to be asked for at a start. */
export const WARM_UP_MAX = 10_000

/** Bars of warm-up with these parameters; 0 for none. @throws StrategyError when the strategy says no such number */
export function warmUpOf({ name, bars }: AnyStrategy, parameters: ParameterValues<ParameterTable>): number {
  const { warmUp = 0 } = bars ?? {}
  const count: unknown = typeof warmUp === 'function' ? warmUp(parameters) : warmUp
  checkWarmUp(name, count)
  return count
}

/** @throws StrategyError naming what was expected and found */
export function checkWarmUp(name: string, count: unknown): asserts count is number {
  if (Number.isInteger(count) && (count as number) >= 0 && (count as number) <= WARM_UP_MAX) return
  throw new StrategyError(
    `${name}: expected bars.warmUp to be a whole number of bars from 0 to ${WARM_UP_MAX}, found ${shown(count)}`,
  )
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : typeof value === 'object' ? typeof value : String(value)
}
