export * from './amounts.ts'
export * from './market-data.ts'
export * from './orders.ts'
export * from './stream.ts'
