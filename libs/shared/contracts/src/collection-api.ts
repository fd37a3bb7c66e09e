export * from './generated/jts/collection/v1/collection.ts'
