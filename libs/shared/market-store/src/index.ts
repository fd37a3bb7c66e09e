export * from './recorded-market.ts'
