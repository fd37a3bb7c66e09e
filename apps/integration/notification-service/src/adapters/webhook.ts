/** A generic webhook: one POST of JSON per notification. The URL may hold a secret, so it is never logged. */
import type { Notification } from '../domain/notification.ts'

export type Webhook = (notification: Notification) => Promise<void>

const TIMEOUT_MS = 5000

export function createWebhook(url: string): Webhook {
  return async (notification) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': notification.id },
      body: JSON.stringify(notification),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    await response.arrayBuffer()
    if (!response.ok) throw new Error(`expected the webhook to answer 2xx, found ${response.status}`)
  }
}
