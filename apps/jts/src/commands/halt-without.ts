/**
 * A halt with nobody to carry it out: the process is dead, or hangs and is ended. The halt is written where its next start reads
 * it, and what is open at the brokers is cancelled by clients of our own.
 */
import { join } from 'node:path'
import { createBinanceBroker, PRODUCTION, TESTNET } from '@jts/binance-service'
import type { AccountId } from '@jts/model'
import { haltOffline } from '@jts/order-execution'
import { isOfAll, openOnDisk, ordersOpen, type Halt, type OpenOnDisk } from '@jts/order-execution/open-orders'
import { Activity, createLogger, silentLogger, systemClock } from '@jts/runtime'
import { EmbeddedBus, lockFolder, SqliteStore } from '@jts/transport'
import { createCreonBroker } from '../brokers/creon.ts'
import type { ManagedBroker } from '../brokers/managed-broker.ts'
import { givenAddress, openCreon } from '../brokers/open-creon.ts'
import { cancelOpen, untilSent } from '../cancel-open.ts'
import { UserError } from '../cli.ts'
import { accountsAt, foreignOrdersOf, readConfig } from '../config.ts'
import { isUsedBy, processOf, type ProcessFile } from '../running.ts'
import { keysFromEnvironment } from '../venue.ts'
import { within } from '../within.ts'

export type HaltAnswer = {
  readonly tradingState: string
  readonly cancelled: number
  readonly unknown: number
  readonly open: number
  readonly message: string
}

type SaidHalt = Halt & { readonly reason: string; readonly by: string }
type Left = ReadonlyMap<AccountId, OpenOnDisk>
/** How it starts now, and what is open, as the rows say it. */
type Written = { readonly starts: string; readonly left: Left }
type Reached = { readonly account: AccountId; readonly broker: ManagedBroker }

const ENDED_WITHIN_MS = 5000
const BROKER_WITHIN_MS = 20_000

export async function haltWithout(folder: string, halt: Halt & { readonly reason: string }): Promise<HaltAnswer> {
  const running = processOf(folder)
  const account = accountFor(running, halt)
  const { pid } = running
  const isOurs = pid !== null && isUsedBy(folder, pid)
  if (isOurs) {
    process.stderr.write(`jts: process ${pid} does not answer; ending it\n`)
    process.kill(pid, 'SIGKILL')
  }
  const lock = await lockWhenFree(folder)
  const said = { ...halt, by: 'command line' }
  const { starts, left } = await writeHalt(folder, running, account, said).finally(() => lock.release())
  const { cancelled, open, reasons } = await cancelAtBrokers(running, folder, { account, halt, left })
  const unknown = [...left.values()].reduce((sum, one) => sum + one.unknown, 0)
  const ended = isOurs ? 'the process was ended' : 'no process is running'
  const message = [ended, `${halt.strategy === '' ? 'it' : halt.strategy} starts ${starts}`, ...reasons].join('; ')
  return { tradingState: starts, cancelled, unknown, open, message }
}

/** Before anything is ended: the account of the strategy that is to be halted, empty for a halt of everything. */
function accountFor({ strategies = [] }: ProcessFile, { strategy }: Halt): string {
  if (strategy === '') return ''
  const found = strategies.find(({ instance }) => instance === strategy)
  if (found !== undefined) return found.account
  const known = strategies.map(({ instance }) => instance).join(', ') || 'no strategy at all'
  throw new UserError(`--strategy: expected one of ${known}, found ${JSON.stringify(strategy)}`)
}

async function writeHalt(
  folder: string,
  { isDistributed }: ProcessFile,
  account: string,
  halt: SaidHalt,
): Promise<Written> {
  if (isDistributed !== true) return await haltFolder(folder, account, halt)
  const { haltRun } = await import('../distributed/halt-run.ts')
  return await haltRun(folder, halt)
}

async function haltFolder(folder: string, account: string, halt: SaidHalt): Promise<Written> {
  const fatal = (why: string, cause: unknown): never => {
    throw new Error(why, { cause })
  }
  const store = new SqliteStore({ file: join(folder, 'jts.sqlite'), log: silentLogger, fatal })
  // The bus plugs itself into the store, which then takes events.
  void new EmbeddedBus({ store, log: silentLogger, fatal })
  store.ensure([ordersOpen] as never[])
  const { strategy, state, reason, by } = halt
  const said = { scope: { account, strategy }, state, reason, by, nowUs: systemClock.nowUs() }
  const starts = await haltOffline(store, said)
  const rows = (await store.all(ordersOpen)).filter((row) => account === '' || row.account === account)
  await store.close()
  const accounts = [...new Set(rows.map((row) => row.account as AccountId))]
  const rowsOf = (one: string): typeof rows => rows.filter((row) => row.account === one)
  return { starts, left: new Map(accounts.map((one) => [one, openOnDisk(rowsOf(one), halt)])) }
}

/** The halt is written, whatever fails here: what could not be asked or cancelled is counted as open, and said. */
async function cancelAtBrokers(
  running: ProcessFile,
  folder: string,
  { account: only, halt, left }: { readonly account: string; readonly halt: Halt; readonly left: Left },
): Promise<{ cancelled: number; open: number; reasons: readonly string[] }> {
  const counts = { cancelled: 0, open: 0 }
  const config = readConfig(running.config ?? undefined)
  const handling = foreignOrdersOf(running.mode, config.accounts)
  const found = await brokersOf(running, folder)
  const { reasons } = found
  const reached = found.reached.filter(({ account }) => only === '' || account === only)
  for (const { account, broker } of reached) {
    const ours = left.get(account)?.clientOrderIds ?? new Set<string>()
    const adopts = isOfAll(halt) && handling[account] === 'adopt'
    const asked = broker
      .start()
      .then(() => untilSent(left.get(account), { broker, wallClock: systemClock }))
      .then(() => cancelOpen({ broker, ours, adopts }))
    try {
      const { cancelled, open } = await within(BROKER_WITHIN_MS, asked)
      counts.cancelled += cancelled
      counts.open += open
    } catch (error) {
      counts.open += left.get(account)?.open ?? 0
      reasons.push(`${account} could not be asked: ${(error as Error).message}`)
    } finally {
      await broker.stop()
    }
  }
  const unreached = [...left].filter(([account]) => !reached.some((one) => one.account === account))
  for (const [, { open }] of unreached) counts.open += open
  return { ...counts, reasons }
}

async function brokersOf(running: ProcessFile, folder: string): Promise<{ reached: Reached[]; reasons: string[] }> {
  const { mode } = running
  const config = readConfig(running.config ?? undefined)
  const log = createLogger({ name: 'halt', mode })
  const parts = { activity: new Activity(), wallClock: systemClock, log }
  const reached: Reached[] = []
  const reasons: string[] = []
  const attempt = async (name: string, found: () => Promise<Reached[]> | Reached[]): Promise<void> => {
    try {
      reached.push(...(await found()))
    } catch (error) {
      reasons.push(`${name} could not be asked: ${(error as Error).message}`)
    }
  }
  const atBinance = accountsAt('binance', config)
  if (atBinance.length > 0) {
    const endpoints = running.endpoints ?? { live: PRODUCTION, paper: TESTNET, sim: undefined }[mode]
    if (endpoints === undefined)
      reasons.push('its local venue is gone with it; what is open there is cancelled at the start')
    else {
      await attempt('Binance', () =>
        keysFromEnvironment({ mode, accounts: atBinance }).map(({ account, ...credentials }) => ({
          account,
          broker: createBinanceBroker({ account, endpoints, credentials, wallClock: systemClock, log }),
        })),
      )
    }
  }
  // A simulated Creon of its own is gone with it, too.
  if (accountsAt('creon', config).length > 0 && (mode !== 'sim' || givenAddress(config) !== undefined)) {
    await attempt('Creon', async () => {
      const creon = (await openCreon(config, folder, log))!
      return creon.accounts.map((key) => ({
        account: key.account,
        broker: createCreonBroker(creon.address, key, parts),
      }))
    })
  }
  return { reached, reasons }
}

async function lockWhenFree(folder: string): Promise<{ release(): void }> {
  const deadline = performance.now() + ENDED_WITHIN_MS
  for (;;) {
    try {
      return lockFolder(folder)
    } catch (error) {
      if (performance.now() > deadline) throw error
      await new Promise((done) => setTimeout(done, 50))
    }
  }
}
