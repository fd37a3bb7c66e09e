/** The questions a person asks: what runs, what is held, what happened. */
import type { FastifyInstance } from 'fastify'
import { withDeadline } from '../deadline.ts'
import { healthOf } from '../health-of.ts'
import type { GatewayPorts } from '../ports.ts'
import { CandlesQuery, EmptyQuery, FillsQuery, ListQuery } from '../schemas.ts'

const ANSWER_MS = 10_000

async function answer<T>(what: string, work: Promise<T>): Promise<{ success: true; data: T }> {
  return { success: true, data: await withDeadline(what, ANSWER_MS, work) }
}

export function registerQueries(app: FastifyInstance, ports: GatewayPorts): void {
  app.get('/status', { schema: { querystring: EmptyQuery } }, () => answer('status', ports.status()))
  app.get('/health', { schema: { querystring: EmptyQuery } }, () => answer('health', ports.status().then(healthOf)))
  app.get('/collections', { schema: { querystring: EmptyQuery } }, () => answer('collections', ports.collections()))
  app.get('/portfolio', { schema: { querystring: EmptyQuery } }, () => answer('portfolio', ports.portfolio()))
  app.get<{ Querystring: CandlesQuery }>('/candles', { schema: { querystring: CandlesQuery } }, ({ query }) =>
    answer('candles', ports.candles(query)),
  )
  app.get<{ Querystring: ListQuery }>('/orders', { schema: { querystring: ListQuery } }, ({ query }) =>
    answer('orders', ports.orders(query)),
  )
  app.get<{ Querystring: FillsQuery }>('/fills', { schema: { querystring: FillsQuery } }, ({ query }) =>
    answer('fills', ports.fills(query)),
  )
  app.get<{ Querystring: ListQuery }>('/risk-decisions', { schema: { querystring: ListQuery } }, ({ query }) =>
    answer('risk decisions', ports.decisions(query)),
  )
}
