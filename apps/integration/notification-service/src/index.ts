export {
  createNotificationService,
  type NotificationService,
  type NotificationServiceOptions,
  type WebhookOptions,
} from './service.ts'
