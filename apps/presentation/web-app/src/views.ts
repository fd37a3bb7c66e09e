/** The one place that knows where the gateway's views are written down; only types, nothing of the gateway is bundled. */
export type * from '@jts/api-gateway/ports'
