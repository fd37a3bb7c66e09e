/** The one place that knows where the gateway's views are written down; only types, nothing of it is bundled. */
export type * from '@jts/contracts/gateway'
