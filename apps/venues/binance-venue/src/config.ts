/** The command line, parsed once at the door. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parseUnits, type Units } from '@jts/model/numbers'

export type KeyPair = { readonly apiKey: string; readonly apiSecret: string }

export type VenueConfig = {
  /** Where it listens; the addresses it tells are of this machine. */
  readonly host: string
  readonly port: number
  readonly replay: readonly string[]
  readonly instrument: string | undefined
  readonly timeframe: string | undefined
  readonly allowGaps: boolean
  readonly accountNames: readonly string[]
  readonly balance: Units
  readonly seed: number
  readonly symbols: readonly string[]
  /** Undefined: a replay waits for a conductor; a made-up market runs in real time. */
  readonly speed: number | undefined
  readonly slippageBps: number
  readonly fee: Units
  readonly dataDir: string
  readonly exitWithStdin: boolean
  readonly controlToken: string | undefined
  /** Of the accounts, where they are not to be made here. */
  readonly keys: readonly KeyPair[] | undefined
  readonly faults: readonly string[]
  readonly json: boolean
}

export const USAGE = `A local exchange that speaks Binance Spot's protocol, on 127.0.0.1 unless told otherwise.

  --host ADDRESS         where to listen (default 127.0.0.1); 0.0.0.0 in a container's private network
  --port N               0 = any free port, and the same one again after a restart (default 0)
  --replay FILE          a recorded market; repeatable. Without it: a made-up market
  --instrument V:S       the instrument of a single replay file, when its name does not say
  --timeframe T          of the replay files, when it is not their smallest spacing
  --allow-gaps           accept missing bars
  --speed N              N times real time; a replay without it waits for a conductor
  --symbols A,B          of the made-up market (default BTCUSDT,ETHUSDT)
  --seed N               of the made-up market (default 1)
  --accounts N           (default 1)
  --account-names a,b    (default main,account2,…)
  --balance AMOUNT       of each account, in the quote currency (default 100000)
  --fee RATE             (default 0.001)
  --slippage-bps N       moves market fills against the taker (default 0)
  --data-dir DIR         the durable store (default: a new temporary folder)
  --control-token T      for the conductor (default: made and printed)
  --keys-from-environment  of the accounts: JTS_BINANCE_API_KEY and JTS_BINANCE_API_SECRET, then …_2, and so on
  --fault NAME[=VALUE]   a wrong answer on request; repeatable
  --exit-with-stdin      end when standard input closes
  --json                 print where it listens, and its keys, as one line of JSON
  --help
`

/** @throws Error that says what was expected and found; undefined when only help is wanted. */
export function parseConfig(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): VenueConfig | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '0' },
      'keys-from-environment': { type: 'boolean', default: false },
      replay: { type: 'string', multiple: true, default: [] },
      instrument: { type: 'string' },
      timeframe: { type: 'string' },
      'allow-gaps': { type: 'boolean', default: false },
      accounts: { type: 'string' },
      'account-names': { type: 'string' },
      balance: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      symbols: { type: 'string', default: 'BTCUSDT,ETHUSDT' },
      speed: { type: 'string' },
      'slippage-bps': { type: 'string', default: '0' },
      fee: { type: 'string', default: '0.001' },
      'data-dir': { type: 'string' },
      'exit-with-stdin': { type: 'boolean', default: false },
      'control-token': { type: 'string' },
      fault: { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const speed = values.speed === undefined ? undefined : numberOf('speed', values.speed, 0.001, 1e9)
  const names = accountNames(values.accounts, values['account-names'])
  return {
    host: values.host,
    keys: values['keys-from-environment'] ? keysOf(names.length, env) : undefined,
    port: wholeOf('port', values.port, 65_535),
    replay: values.replay,
    instrument: values.instrument,
    timeframe: values.timeframe,
    allowGaps: values['allow-gaps'],
    accountNames: names,
    balance: parseUnits(values.balance),
    seed: wholeOf('seed', values.seed, 2 ** 31 - 1),
    symbols: values.symbols.split(',').filter((symbol) => symbol !== ''),
    speed,
    slippageBps: numberOf('slippage-bps', values['slippage-bps'], 0, 9999),
    fee: parseUnits(values.fee),
    dataDir: values['data-dir'] ?? mkdtempSync(join(tmpdir(), 'jts-binance-venue-')),
    exitWithStdin: values['exit-with-stdin'],
    controlToken: values['control-token'],
    faults: values.fault,
    json: values.json,
  }
}

const KEY_FORM = /^[A-Za-z0-9]{64}$/

/** Under the names that JTS reads them by. */
function keysOf(count: number, env: NodeJS.ProcessEnv): KeyPair[] {
  return Array.from({ length: count }, (_, index) => {
    const suffix = index === 0 ? '' : `_${index + 1}`
    const [key, secret] = [`JTS_BINANCE_API_KEY${suffix}`, `JTS_BINANCE_API_SECRET${suffix}`]
    const [apiKey, apiSecret] = [env[key], env[secret]]
    if (!apiKey || !apiSecret)
      throw new Error(
        `--keys-from-environment: expected ${key} and ${secret}, found ${apiKey ? `no ${secret}` : `no ${key}`}`,
      )
    // Never the value: it is a key.
    const wrong = KEY_FORM.test(apiKey) ? (KEY_FORM.test(apiSecret) ? undefined : secret) : key
    if (wrong)
      throw new Error(`--keys-from-environment: expected 64 letters and digits in ${wrong}, found another form`)
    return { apiKey, apiSecret }
  })
}

function numberOf(name: string, text: string, min: number, max: number): number {
  const value = text.trim() === '' ? NaN : Number(text)
  if (!(value >= min && value <= max))
    throw new Error(`--${name}: expected a number from ${min} to ${max}, found ${text}`)
  return value
}

function wholeOf(name: string, text: string, max: number): number {
  const value = numberOf(name, text, 0, max)
  if (!Number.isInteger(value)) throw new Error(`--${name}: expected a whole number, found ${text}`)
  return value
}

function accountNames(count: string | undefined, names: string | undefined): string[] {
  const given = names === undefined ? [] : names.split(',')
  const wanted = count === undefined ? Math.max(1, given.length) : wholeOf('accounts', count, 100)
  if (wanted < 1) throw new Error('--accounts: expected at least 1, found 0')
  if (names !== undefined && given.length !== wanted) {
    throw new Error(`--account-names: expected ${wanted} names, found ${given.length}`)
  }
  const all = Array.from(
    { length: wanted },
    (_, index) => given[index] ?? (index === 0 ? 'main' : `account${index + 1}`),
  )
  if (new Set(all).size !== all.length) throw new Error(`--account-names: expected different names, found ${names}`)
  return all
}
