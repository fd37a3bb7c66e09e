/** The gateway and the web page over a running trader. */
import { existsSync } from 'node:fs'
import { createApiGateway } from '@jts/api-gateway'
import type { Logger } from '@jts/runtime'
import { systemClock } from '@jts/runtime'
import type { StrategyInstance } from '@jts/strategy-engine'
import type { Mode } from '@jts/model'
import { createGatewayPorts } from './gateway-ports.ts'
import { untilStopped } from './process.ts'
import { TRADE_CANDLES } from './trade-candles.ts'
import { VERSION } from './version.ts'
import { buildWebApp, WEB_ROOT } from './web-build.ts'
import type { System } from './system.ts'

export type DashboardOptions = {
  readonly mode?: Mode
  readonly instances: readonly StrategyInstance[]
  readonly options: { readonly port: number | undefined; readonly listen?: string | undefined }
  readonly fillModel?: string
  readonly log: Logger
}

export type Dashboard = { readonly url: string; untilStopped(): Promise<unknown>; stop(): Promise<void> }

const PORT_DEFAULT = 8700
const PORTS_TRIED = 20

export async function startDashboard(system: System, options: DashboardOptions): Promise<Dashboard> {
  const mode = options.mode ?? 'sim'
  await buildWebApp(options.log)
  const shown = options.instances.map(({ instrument, timeframe = TRADE_CANDLES }) => ({ instrument, timeframe }))
  const series = new Map(shown.map((one) => [`${one.instrument.id}/${one.timeframe}`, one]))
  const ports = await createGatewayPorts({
    system,
    mode,
    version: VERSION,
    startedAtUs: systemClock.nowUs(),
    ...(options.fillModel === undefined ? {} : { fillModel: options.fillModel }),
    instruments: [...series.values()].map((one) => ({
      id: one.instrument.id,
      timeframe: one.timeframe,
      quoteCurrency: one.instrument.quoteCurrency,
    })),
    log: options.log,
  })
  const asked = options.options.port
  for (let port = asked ?? PORT_DEFAULT, tries = 0; ; port++, tries++) {
    const gateway = createApiGateway({
      ports,
      port,
      ...(options.options.listen === undefined ? {} : { host: options.options.listen }),
      log: options.log,
      mode,
      ...(existsSync(WEB_ROOT) ? { webRoot: WEB_ROOT } : {}),
    })
    try {
      const { url } = await gateway.start()
      return { url, untilStopped, stop: () => gateway.stop() }
    } catch (error) {
      // A port that was asked for is not quietly replaced by another.
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      if (!taken || asked !== undefined || tries >= PORTS_TRIED) throw error
    }
  }
}
