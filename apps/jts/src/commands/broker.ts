/** `./jts broker verify URL`: runs the broker contract suite against a service, wherever it is and whatever it is written in. */
import { randomBytes } from 'node:crypto'
import { BrokerApiClient } from '@jts/api-client'
import { CASES, RawApi, runSuite, type Boldness, type CaseResult } from '@jts/broker-kit/contract-suite'
import { readKeysFile } from '@jts/broker-kit/server'
import { accountId, accountMode, instrumentId, type AccountId } from '@jts/model'
import { silentLogger, systemClock } from '@jts/runtime'
import { EXIT, parseCommand, UserError } from '../cli.ts'

const SPEC = {
  name: 'broker',
  usage: './jts broker verify URL --key FILE --instrument KRX:005930 [--account ACCOUNT] [--orders | --trade]',
  summary: `Decides whether a broker service keeps the Broker API. By default it only reads: nothing is ordered, and nothing is changed.
--orders places the smallest orders far below the market and cancels them. --trade buys and sells, in sim mode only.
Ends with 0 when no case failed; a case that the capability table does not excuse is a failure.`,
  positionals: { min: 2, max: 2 },
  options: {
    key: { type: 'text', value: 'FILE', help: 'a keys file as the service has it; its first key is used' },
    account: { type: 'text', value: 'ACCOUNT', help: 'the account (default: the first that the key may use)' },
    instrument: { type: 'text', value: 'ID', help: 'the instrument that is asked about and ordered' },
    orders: { type: 'flag', help: 'place small orders far from the market, and cancel them' },
    trade: { type: 'flag', help: 'buy and sell, move the lease and the gate: sim accounts only' },
    json: { type: 'flag', help: 'one JSON object on standard output' },
  },
} as const

const MARK = { passed: 'ok    ', failed: 'FAILED', not_supported: 'n/s   ', not_run: '-     ' } as const

export async function brokerCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const { options, positionals } = parsed
  const [verb, baseUrl] = positionals as [string, string]
  if (verb !== 'verify') throw new UserError(`expected broker verify, found broker ${verb}`)
  if (options.key === undefined) throw new UserError('expected --key FILE with a key of the service')
  if (options.instrument === undefined) throw new UserError('expected --instrument, such as BINANCE:BTCUSDT')
  const [key] = asked(() => readKeysFile(options.key!))
  const instrument = instrumentId(options.instrument)
  const common = {
    baseUrl,
    key: key!,
    wallClock: systemClock,
    log: silentLogger,
    actTimeoutMs: 40_000,
    askTimeoutMs: 40_000,
  }
  const account = options.account === undefined ? await firstAccount(baseUrl, key!) : accountId(options.account)
  const boldness: Boldness = options.trade ? 'full' : options.orders ? 'far' : 'read'
  if (boldness === 'full' && accountMode(account) !== 'sim') {
    throw new UserError(`--trade: expected a sim account, found ${account}; --orders is the most for this one`)
  }
  const client = asked(() => new BrokerApiClient({ ...common, account }))
  try {
    await client.start()
    const target = {
      ...{ broker: client, market: client, instrument, clock: systemClock, boldness },
      raw: new RawApi({ baseUrl, key: key!, account, clock: systemClock }),
      prefix: `v${randomBytes(4).toString('hex')}`,
    }
    const results = await runSuite(
      CASES,
      target,
      options.json ? undefined : (result) => process.stdout.write(line(result)),
    )
    const count = (outcome: CaseResult['outcome']): number => results.filter((one) => one.outcome === outcome).length
    const summary = {
      ...{ broker: client.capabilities.broker, account, boldness },
      ...{
        passed: count('passed'),
        failed: count('failed'),
        notSupported: count('not_supported'),
        notRun: count('not_run'),
      },
    }
    if (options.json) process.stdout.write(`${JSON.stringify({ ...summary, results })}\n`)
    else
      process.stdout.write(
        `\n${Object.entries(summary)
          .map(([name, value]) => `${name} ${value}`)
          .join(', ')}\n`,
      )
    return summary.failed === 0 ? EXIT.ok : EXIT.no
  } catch (cause) {
    throw new UserError(`${baseUrl}: ${(cause as Error).message}`, { cause })
  } finally {
    await client.stop()
  }
}

function line({ group, title, outcome, expected, found, reason }: CaseResult): string {
  const why =
    outcome === 'failed' ? `\n         expected ${expected}\n         found ${found}` : reason ? ` (${reason})` : ''
  return `${MARK[outcome]} ${group}: ${title}${why}\n`
}

async function firstAccount(
  baseUrl: string,
  key: { readonly id: string; readonly secret: string },
): Promise<AccountId> {
  const { status, body, text } = await new RawApi({ baseUrl, key, clock: systemClock })
    .call({ method: 'GET', target: '/api/v1/capabilities' })
    .catch((cause: unknown) => {
      throw new UserError(`expected a broker service at ${baseUrl}, found that it does not answer`, { cause })
    })
  const accounts = (body as { data?: { accounts?: string[] } } | undefined)?.data?.accounts
  if (status !== 200) throw new UserError(`${baseUrl}: expected capabilities, found ${status} ${text.slice(0, 200)}`)
  if (accounts?.[0] === undefined)
    throw new UserError(`${baseUrl}: expected an account that the key may use, found none`)
  return accountId(accounts[0])
}

function asked<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw new UserError((cause as Error).message, { cause })
  }
}
