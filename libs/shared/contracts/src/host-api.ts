export * from './generated/jts/host/v1/host.ts'
