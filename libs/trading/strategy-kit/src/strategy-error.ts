export class StrategyError extends Error {
  override readonly name = 'StrategyError'
}
