export {
  createStrategyEngine,
  type StrategyEngine,
  type StrategyEngineOptions,
  type StrategyInstance,
} from './service.ts'
