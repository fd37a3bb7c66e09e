/** Where Creon's service is for this run: on a given machine, or beside us with its simulated COM. */
import { join } from 'node:path'
import type { Logger } from '@jts/runtime'
import { UserError } from '../cli.ts'
import { accountOf, accountsAt, type JtsConfig } from '../config.ts'
import type { ServiceLight } from '../service-light.ts'
import { keysFromEnvironment, type TradedAccount } from '../venue.ts'
import { CREON_LIGHT, type CreonAddress } from './creon.ts'
import { CreonProcess } from './creon-process.ts'

export type Creon = {
  readonly address: CreonAddress
  readonly accounts: readonly TradedAccount[]
  /** What its process is, where it is ours and not up. */
  light(): ServiceLight | undefined
  start(): void
  stop(): Promise<void>
}

const PORT_DEFAULT = 8001

/**
 * @param isExample nobody has said anything: what the environment says for a deployment is not asked by an example
 * @throws UserError when the configuration has an account at Creon that cannot be had that way
 */
export async function openCreon(
  config: JtsConfig,
  dataDir: string,
  log: Logger,
  { isExample = false } = {},
): Promise<Creon | undefined> {
  const accounts = accountsAt('creon', config)
  const [account] = accounts
  if (account === undefined) return undefined
  const { mode } = config
  if (mode === 'paper') {
    throw new UserError(
      `accounts: expected mode sim or live for ${account.name}, found paper: Creon has no paper trading`,
    )
  }
  const given = isExample ? undefined : givenAddress(config)
  if (given !== undefined) {
    return {
      address: given,
      accounts: keysFromEnvironment({ mode, accounts }),
      light: () => undefined,
      start: () => undefined,
      stop: () => Promise.resolve(),
    }
  }
  if (mode === 'live') {
    throw new UserError(
      `creon: expected the address of Creon's service, as creon.host in jts.yaml or CREON_API_HOST, found none`,
    )
  }
  if (accounts.length > 1) {
    throw new UserError(`accounts: expected one account at the simulated Creon, found ${accounts.length}`)
  }
  const id = accountOf(mode, account)
  const service = await CreonProcess.prepare({ dir: join(dataDir, 'creon'), account: id, log })
  return {
    address: { host: service.host, port: service.port },
    accounts: [{ account: id, apiKey: service.key.id, apiSecret: service.key.secret }],
    light: () => (service.state.state === 'up' ? undefined : { name: CREON_LIGHT, ...service.state }),
    start: () => service.start(),
    stop: () => service.stop(),
  }
}

export function givenAddress({ creon }: JtsConfig): CreonAddress | undefined {
  const host = process.env['CREON_API_HOST'] || creon?.host
  if (host === undefined) return undefined
  const text = process.env['CREON_API_PORT']
  const port = text === undefined || text === '' ? (creon?.port ?? PORT_DEFAULT) : Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new UserError(`CREON_API_PORT: expected a port such as ${PORT_DEFAULT}, found ${JSON.stringify(text)}`)
  }
  return { host, port }
}
