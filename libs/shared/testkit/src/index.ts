export * from './any-order.ts'
export * from './recorded-csv.ts'
export * from './processes.ts'
