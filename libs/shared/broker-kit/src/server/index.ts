export { parseKeys, readKeysFile, type ApiKey } from './keys.ts'
export { startBrokerServer, type BrokerServer, type BrokerServerOptions } from './server.ts'
export { STREAM_LIMITS, type StreamLimits } from './stream-connection.ts'
