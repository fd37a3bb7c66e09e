export { createApiGateway, type ApiGateway, type ApiGatewayOptions } from './server.ts'
export { GatewayError, type Problem, type ProblemCode } from './problems.ts'
export { STREAM_LIMITS, type StreamLimits } from './stream.ts'
export type * from './ports.ts'
