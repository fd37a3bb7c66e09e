/** The venue that a run trades on: one that is running already, or our own local one started here. */
import { endpointsOfVenue, type BinanceEndpoints } from '@jts/binance-service'
import { accountId, type AccountId, type Mode } from '@jts/model'
import { keepSecret, type Logger } from '@jts/runtime'
import { UserError } from './cli.ts'
import { accountOf, type BrokerName } from './config.ts'
import { startVenueProcess, type VenueProcess } from './venue-process.ts'

export type TradedAccount = { readonly account: AccountId; readonly apiKey: string; readonly apiSecret: string }
export type Venue = {
  readonly endpoints: BinanceEndpoints
  readonly accounts: readonly TradedAccount[]
  /** The side channel of a local venue. */
  readonly controlUrl: string
  readonly controlToken: string
  stop(): Promise<void>
}

export type VenueChoice = {
  readonly mode: Mode
  readonly accounts: readonly {
    readonly name: string
    readonly broker: BrokerName
    readonly apiKeyEnv?: string | undefined
    readonly apiSecretEnv?: string | undefined
  }[]
  /** An address given by `--venue`. */
  readonly url: string | undefined
  /** Arguments of our own venue. */
  readonly args: readonly string[]
  readonly log: Logger
}

export async function openVenue(choice: VenueChoice): Promise<Venue> {
  if (choice.url !== undefined) return givenVenue(choice, choice.url)
  const names = choice.accounts.map((account) => account.name)
  const venue: VenueProcess = await startVenueProcess(
    ['--port', '0', '--accounts', String(names.length), '--account-names', names.join(','), ...choice.args],
    choice.log,
  )
  const { ready } = venue
  return {
    endpoints: endpointsOfVenue(ready.restUrl),
    accounts: ready.accounts.map(({ name, apiKey, apiSecret }) => ({
      account: accountId(`${choice.mode}.binance.${name}`),
      apiKey,
      apiSecret,
    })),
    controlUrl: ready.controlUrl,
    controlToken: ready.controlToken,
    stop: () => venue.stop(),
  }
}

/** Where keys are looked for when `jts.yaml` names no variables: of the first account of a broker, `_2` … of the next. */
const KEY_VARIABLES: Readonly<Record<BrokerName, readonly [key: string, secret: string]>> = {
  binance: ['JTS_BINANCE_API_KEY', 'JTS_BINANCE_API_SECRET'],
  creon: ['CREON_API_KEY', 'CREON_API_SECRET'],
}

/** The variables of each account's keys, in the accounts' order. */
export function keyVariablesOf(
  accounts: VenueChoice['accounts'],
): { readonly broker: BrokerName; readonly keyName: string; readonly secretName: string }[] {
  const seen = new Map<BrokerName, number>()
  return accounts.map(({ broker, apiKeyEnv, apiSecretEnv }) => {
    const nth = (seen.get(broker) ?? 0) + 1
    seen.set(broker, nth)
    const suffix = nth === 1 ? '' : `_${nth}`
    const [keyDefault, secretDefault] = KEY_VARIABLES[broker]
    return {
      broker,
      keyName: apiKeyEnv ?? `${keyDefault}${suffix}`,
      secretName: apiSecretEnv ?? `${secretDefault}${suffix}`,
    }
  })
}

/** @throws UserError naming the variables in which an account's keys were expected */
export function keysFromEnvironment(choice: Pick<VenueChoice, 'mode' | 'accounts'>): TradedAccount[] {
  const variables = keyVariablesOf(choice.accounts)
  return choice.accounts.map((account, i) => {
    const { name } = account
    const { keyName, secretName } = variables[i]!
    const apiKey = keepSecret(process.env[keyName])
    const apiSecret = keepSecret(process.env[secretName])
    if (!apiKey || !apiSecret) {
      throw new UserError(
        `expected the keys of account ${name} in the environment variables ${keyName} and ${secretName}, found ${apiKey ? `no ${secretName}` : `no ${keyName}`}`,
      )
    }
    return { account: accountOf(choice.mode, account), apiKey, apiSecret }
  })
}

function givenVenue(choice: VenueChoice, url: string): Venue {
  const accounts = keysFromEnvironment(choice)
  let endpoints: BinanceEndpoints
  try {
    endpoints = endpointsOfVenue(url)
  } catch (cause) {
    throw new UserError(`--venue: ${(cause as Error).message}`, { cause })
  }
  return {
    endpoints,
    accounts,
    controlUrl: `${url.replace(/^http/, 'ws')}/jts/lock-step`,
    // A venue started by hand takes its first account's secret as the conductor's token.
    controlToken: process.env['JTS_VENUE_CONTROL_TOKEN'] ?? accounts[0]!.apiSecret,
    stop: () => Promise.resolve(),
  }
}
