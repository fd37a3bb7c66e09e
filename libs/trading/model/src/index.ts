export * from './numbers.ts'
export * from './ids.ts'
export * from './instruments.ts'
export * from './bars.ts'
