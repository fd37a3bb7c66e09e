/** The services that run as processes of their own. */
export const SERVICE_NAMES = [
  'risk-management',
  'portfolio-tracker',
  'order-execution',
  'binance-service',
  'strategy-engine',
  'market-data-collector',
  'notification-service',
] as const
export type ServiceName = (typeof SERVICE_NAMES)[number]
