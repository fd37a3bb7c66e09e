export { createOrderExecution, type OrderExecution, type OrderExecutionOptions } from './service.ts'
