import { defineTable } from '@jts/transport'

/** Notifications written and not yet delivered; a row goes when the webhook has taken it. */
export const outbox = defineTable('notifications_outbox', { event_id: 'text', notification: 'text' }, ['event_id'])
