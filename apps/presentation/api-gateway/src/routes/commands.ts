/** What a person may do: stop trading, let it go on, start and stop a strategy, collect past candles. */
import type { FastifyInstance } from 'fastify'
import type { Logger } from '@jts/runtime'
import { withDeadline } from '../deadline.ts'
import type { GatewayPorts } from '../ports.ts'
import {
  AccountParams,
  AdjustBody,
  CollectBody,
  EmptyQuery,
  HaltBody,
  InstanceParams,
  ResumeBody,
  VenueParams,
} from '../schemas.ts'

/** A halt answers when in-flight sends have ended, so it may take longer than a question. */
const COMMAND_MS = 30_000
const BY = 'dashboard'

export function registerCommands(app: FastifyInstance, ports: GatewayPorts, log: Logger): void {
  const schema = { querystring: EmptyQuery }
  const said = ({ state = 'halted', reason }: HaltBody) => ({
    reason: reason?.trim() || `${state} from the dashboard`,
    by: BY,
    state,
  })
  app.post<{ Body: HaltBody }>('/halt', { schema: { ...schema, body: HaltBody } }, async ({ body }) => {
    const { reason, ...rest } = said(body)
    const data = await withDeadline('halt', COMMAND_MS, ports.halt({ reason, ...rest }))
    log.warn({ reason, ...data }, 'halt asked from the dashboard')
    return { success: true, data }
  })
  app.post('/resume', { schema: { ...schema, body: ResumeBody } }, async () => {
    const data = await withDeadline('resume', COMMAND_MS, ports.resume({ by: BY }))
    log.warn({ ...data }, 'resume asked from the dashboard')
    return { success: true, data }
  })
  app.post<{ Params: InstanceParams; Body: HaltBody }>(
    '/strategies/:instance/halt',
    { schema: { ...schema, params: InstanceParams, body: HaltBody } },
    async ({ params, body }) => {
      const request = { ...params, ...said(body) }
      const data = await withDeadline('halt of a strategy', COMMAND_MS, ports.haltStrategy(request))
      log.warn({ ...request, ...data }, 'halt of a strategy asked from the dashboard')
      return { success: true, data }
    },
  )
  app.post<{ Params: InstanceParams }>(
    '/strategies/:instance/resume',
    { schema: { ...schema, params: InstanceParams, body: ResumeBody } },
    async ({ params }) => {
      const data = await withDeadline('resume of a strategy', COMMAND_MS, ports.resumeStrategy({ ...params, by: BY }))
      log.warn({ ...data }, 'resume of a strategy asked from the dashboard')
      return { success: true, data }
    },
  )
  app.post<{ Params: AccountParams; Body: AdjustBody }>(
    '/accounts/:account/adjustments',
    { schema: { ...schema, params: AccountParams, body: AdjustBody } },
    async ({ params, body }) => {
      const request = { ...params, ...body, by: BY }
      const data = await withDeadline('adjustment', COMMAND_MS, ports.adjust(request))
      log.warn({ ...request, ...data }, 'an adjustment of the ledger is asked for')
      return { success: true, data }
    },
  )
  app.post<{ Params: InstanceParams }>(
    '/strategies/:instance/start',
    { schema: { ...schema, params: InstanceParams, body: ResumeBody } },
    async ({ params }) => {
      const data = await withDeadline('start of a strategy', COMMAND_MS, ports.startStrategy(params))
      log.warn({ instance: params.instance }, 'start of a strategy asked from the dashboard')
      return { success: true, data }
    },
  )
  app.post<{ Params: InstanceParams }>(
    '/strategies/:instance/stop',
    { schema: { ...schema, params: InstanceParams, body: ResumeBody } },
    async ({ params }) => {
      const data = await withDeadline('stop of a strategy', COMMAND_MS, ports.stopStrategy(params))
      log.warn({ instance: params.instance }, 'stop of a strategy asked from the dashboard')
      return { success: true, data }
    },
  )
  app.post<{ Body: CollectBody }>('/collections', { schema: { ...schema, body: CollectBody } }, async ({ body }) => {
    const data = await withDeadline('collection', COMMAND_MS, ports.collect(body))
    log.info({ ...body }, 'a collection of candles is asked for')
    return { success: true, data }
  })
  app.post<{ Params: VenueParams }>(
    '/collections/:venue/cancel',
    { schema: { ...schema, params: VenueParams, body: ResumeBody } },
    async ({ params }) => {
      const data = await withDeadline('end of a collection', COMMAND_MS, ports.cancelCollection(params))
      return { success: true, data }
    },
  )
}
