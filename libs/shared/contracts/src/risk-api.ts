export * from './generated/jts/risk/v1/risk.ts'
