export * from './krx/index.ts'
