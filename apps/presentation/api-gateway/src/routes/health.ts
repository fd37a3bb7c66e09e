/** Up or down and nothing more: anyone may ask. `/api/v1/health` says why. */
import type { FastifyInstance } from 'fastify'
import { withDeadline } from '../deadline.ts'
import type { GatewayPorts } from '../ports.ts'

const ANSWER_MS = 2_000

export function registerHealth(app: FastifyInstance, ports: GatewayPorts): void {
  app.get('/health', async (_request, reply) => {
    const up = await withDeadline('status', ANSWER_MS, ports.status()).then(
      ({ services }) => services.every((service) => service.state !== 'down'),
      () => false,
    )
    return reply.code(up ? 200 : 503).send({ success: up, data: { status: up ? 'up' : 'down' } })
  })
}
