/** What a broker service and its reader both call their connection in the lock-step account: on one machine no other is called so. */
export const streamConnectionName = (servicePort: string, readerPort: string): string => `${servicePort}-${readerPort}`
