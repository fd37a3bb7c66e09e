/** The public face: a venue as a function (`startBinanceVenue`) and as a command (`runBinanceVenue`). */
import { LOCK_STEP_PATH } from '@jts/contracts/lock-step'
import { readRecordedMarket } from '@jts/market-store/recorded-market'
import { LockStep } from '@jts/exchange'
import { parseConfig, USAGE, type VenueConfig } from './config.ts'
import { GeneratorDriver } from './generator-driver.ts'
import { saveKeys, type AccountKeys } from './keys.ts'
import { ReplayDriver } from './replay-driver.ts'
import { listen, type Server } from './server.ts'
import { createVenue, type Venue } from './venue.ts'

export { parseConfig, type VenueConfig } from './config.ts'

/** What the venue prints when it is ready. */
export type VenueAddress = {
  readonly restUrl: string
  readonly wsUrl: string
  readonly wsApiUrl: string
  readonly apiKey: string
  readonly apiSecret: string
  readonly accounts: readonly AccountKeys[]
  readonly controlUrl: string
  readonly controlToken: string
  readonly dataDir: string
  readonly pid: number
}

export type RunningVenue = { readonly address: VenueAddress; readonly venue: Venue; stop(): Promise<void> }

export async function startBinanceVenue(config: VenueConfig): Promise<RunningVenue> {
  if (config.instrument !== undefined && config.replay.length > 1) {
    throw new Error('--instrument: expected one replay file, found several')
  }
  const recorded = await Promise.all(
    config.replay.map((file) =>
      readRecordedMarket(file, {
        allowGaps: config.allowGaps,
        ...(config.instrument === undefined ? {} : { instrument: config.instrument }),
        ...(config.timeframe === undefined ? {} : { timeframe: config.timeframe }),
      }),
    ),
  )
  const venue = createVenue(config, recorded)
  const driver = venue.replay ? new ReplayDriver(venue, venue.replay) : new GeneratorDriver(venue, venue.generator!)
  const tokens = [venue.controlToken, ...venue.accounts.map((account) => account.apiSecret)]
  const lockStep = driver instanceof ReplayDriver ? new LockStep(driver, tokens) : undefined
  venue.activity.onIdle = () => lockStep?.onIdle()
  const server = await listenAgain(venue, lockStep)
  saveKeys(config.dataDir, { ...venue.keys, port: server.port })
  if (driver instanceof GeneratorDriver) driver.play(config.speed ?? 1)
  else if (config.speed !== undefined) driver.play(config.speed)
  const stop = async () => {
    driver.stop()
    await server.close()
    venue.store.close()
  }
  return { address: addressOf(venue, server.port), venue, stop }
}

/** Any port means the one of the last start, if it is still free: clients find a restarted venue where it was. */
async function listenAgain(venue: Venue, lockStep: LockStep | undefined): Promise<Server> {
  const { port } = venue.config
  if (port !== 0 || venue.keys.port === 0) return listen(venue, port, lockStep)
  try {
    return await listen(venue, venue.keys.port, lockStep)
  } catch {
    return listen(venue, 0, lockStep)
  }
}

function addressOf({ accounts, config, controlToken }: Venue, port: number): VenueAddress {
  const { apiKey, apiSecret } = accounts[0]!
  return {
    restUrl: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}`,
    wsApiUrl: `ws://127.0.0.1:${port}/ws-api/v3`,
    apiKey,
    apiSecret,
    accounts,
    controlUrl: `ws://127.0.0.1:${port}${LOCK_STEP_PATH}`,
    controlToken,
    dataDir: config.dataDir,
    pid: process.pid,
  }
}

/** Runs until it is told to stop; the exit code. */
export async function runBinanceVenue(argv: readonly string[]): Promise<number> {
  let running: RunningVenue
  let isJson: boolean
  let exitsWithStdin: boolean
  try {
    const config = parseConfig(argv)
    if (!config) {
      process.stdout.write(USAGE)
      return 0
    }
    isJson = config.json
    exitsWithStdin = config.exitWithStdin
    running = await startBinanceVenue(config)
  } catch (error) {
    process.stderr.write(`binance venue: ${error instanceof Error ? error.message : String(error)}\n`)
    return 2
  }
  process.stdout.write(isJson ? `${JSON.stringify(running.address)}\n` : describe(running))
  await untilStopped(exitsWithStdin)
  await running.stop()
  return 0
}

function describe({ address, venue }: RunningVenue): string {
  const market = venue.replay
    ? `replay of ${venue.replay.total} bars or trades, ${venue.replay.released} released`
    : `made-up market of ${venue.config.symbols.join(', ')}`
  // Who gave the keys has them; they need not stand in a log as well.
  const isGiven = venue.config.keys !== undefined
  const accounts = address.accounts.map(({ name, apiKey, apiSecret }) =>
    isGiven ? `  ${name}: keys from the environment\n` : `  ${name}: key ${apiKey}, secret ${apiSecret}\n`,
  )
  const token = isGiven ? "the first account's secret" : `token ${address.controlToken}`
  return (
    `Local Binance venue on ${venue.config.host}: ${market}\n` +
    `  REST           ${address.restUrl}\n  streams        ${address.wsUrl}\n  WebSocket API  ${address.wsApiUrl}\n` +
    `  conductor      ${address.controlUrl} (${token})\n  data           ${address.dataDir}\n` +
    accounts.join('')
  )
}

function untilStopped(exitsWithStdin: boolean): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve())
    process.once('SIGTERM', () => resolve())
    if (!exitsWithStdin) return
    process.stdin.once('end', () => resolve())
    process.stdin.once('close', () => resolve())
    process.stdin.once('error', () => resolve())
    process.stdin.resume()
  })
}
