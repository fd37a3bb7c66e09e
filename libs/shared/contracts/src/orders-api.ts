export * from './generated/jts/orders/v1/orders.ts'
