export * from './recorded-csv.ts'
export * from './processes.ts'
