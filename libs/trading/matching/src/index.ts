export * from './match-order.ts'
export * from './bar-matching.ts'
