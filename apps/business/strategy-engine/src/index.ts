export {
  createStrategyEngine,
  type StrategyEngine,
  type StrategyEngineOptions,
  type StrategyInstance,
} from './service.ts'
export type { BarHistory } from './warm-up.ts'
