export * from './activity.ts'
export * from './clocks.ts'
export * from './ids.ts'
export * from './log.ts'
