export { BrokerApiClient, type BrokerApiClientOptions } from './broker-api-client.ts'
export * from './creon.client.ts'
export type { ApiCredentials } from './http.ts'
