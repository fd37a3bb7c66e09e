export * from './generated/jts.ts'
