export { createNotificationService, type NotificationService, type NotificationServiceOptions } from './service.ts'
