export * from './generated/jts/strategy/v1/strategy.ts'
