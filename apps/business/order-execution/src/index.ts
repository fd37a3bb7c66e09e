export { createOrderExecution, type OrderExecution, type OrderExecutionOptions } from './service.ts'
export { COMPARISON_TIMES, type ComparisonTimes } from './comparisons.ts'
export { FOREIGN_ORDERS, type ForeignOrders } from './domain/foreign-orders.ts'
export { haltOffline, type OfflineHalt } from './halt-offline.ts'
