export { createOrderExecution, type OrderExecution, type OrderExecutionOptions } from './service.ts'
export { haltOffline } from './halt-offline.ts'
