export * from './lasting-stream.ts'
export * from './message-of.ts'
export * from './port.ts'
export * from './send-once.ts'
