/** `./jts serve api-gateway --run FILE`: one more gateway with the dashboard over a distributed run. It owns nothing. */
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createLogger } from '@jts/runtime'
import { Archive, ARCHIVE_FOLDER } from '@jts/transport'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { startDashboard } from '../dashboard.ts'
import { lightsElsewhere } from '../distributed/lights.ts'
import { databaseUrlOf, readRunFile, settingsOf } from '../distributed/run-file.ts'
import { openRunView } from '../distributed/run-view.ts'
import { fatal, untilStopped } from '../process.ts'
import { keepMemorySteady } from '../steady-memory.ts'
import { TLS_OPTIONS, tlsFiles } from '../tls-options.ts'

const SPEC = {
  name: 'serve api-gateway',
  usage: './jts serve api-gateway --run FILE [--port N] [--json]',
  summary:
    'Runs one more gateway with the dashboard over a distributed run: any number of them show the same, and each can halt. Loopback only.',
  positionals: { min: 1, max: 1 },
  options: {
    run: { type: 'text', value: 'FILE', help: 'the file of the run: run-distributed.json in its data folder' },
    port: { type: 'number', value: 'N', help: 'of the dashboard (8700, or the next free one; 0 = any)' },
    ...TLS_OPTIONS,
    json: { type: 'flag', help: 'one JSON object on standard output when ready' },
  },
} as const

export async function serveGatewayCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const { options } = parsed
  if (options.run === undefined) {
    throw new UserError('expected --run FILE, the file of a distributed run; found none (./jts up has its own gateway)')
  }
  keepMemorySteady()
  const file = resolve(options.run)
  const read = readRunFile(file)
  const tls = tlsFiles(options)
  const run = tls === undefined ? read : { ...read, rpc: { ...read.rpc, tls } }
  const name = `api-gateway-${hostname()}-${process.pid}`
  const log = createLogger({ name, mode: run.mode, level: run.logLevel ?? 'info' })
  const settings = await settingsOf(run)
  const archive = new Archive(run.archive ?? join(dirname(file), ARCHIVE_FOLDER))
  const view = openRunView({ run, settings, databaseUrl: databaseUrlOf(run), archive, name, log })
  // A broker that is away keeps nobody from seeing, or from halting.
  view.start().catch((error: unknown) => fatal(log)('the run could not be looked at', error))
  const lights = () => [
    ...lightsElsewhere(view.seen()),
    ...view.serverLights(),
    ...(settings.creon === undefined ? [] : [view.creonLight()]),
  ]
  const system = { ...view, lights, watchHealth: () => (): void => undefined }
  const dashboard = await startDashboard(system, {
    mode: run.mode,
    instances: settings.instances,
    options,
    log,
    fillModel: run.mode === 'sim' ? 'local venue' : 'broker',
  })
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ name, dashboard: dashboard.url, pid: process.pid })}\n`
      : `Dashboard: ${dashboard.url}\n`,
  )
  await untilStopped()
  await dashboard.stop()
  await view.stop()
  return EXIT.ok
}
