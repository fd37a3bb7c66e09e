/** `./jts bench`: speed as ratios measured in one run; never a test's pass or fail. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { EXIT, parseCommand, UserError } from '../cli.ts'

const PARTS = [
  'backtest',
  'lock-step',
  'latency',
  'bus',
  'at-rest',
  'install',
  'distributed',
  'kafka-bus',
  'after-kill',
  'observe',
  'soak',
  'soak-embedded',
  'isolation',
] as const
type Part = (typeof PARTS)[number]
/** These need servers beside them, or a long time: only when they are asked for. */
const ASKED_FOR: readonly string[] = ['distributed', 'kafka-bus', 'after-kill', 'observe', 'soak', 'soak-embedded']
const BY_DEFAULT = PARTS.filter((part) => !ASKED_FOR.includes(part))

const SPEC = {
  name: 'bench',
  usage: `./jts bench [${PARTS.join('|')}] [--json]`,
  summary: 'Measures speed: every figure beside a floor or a peer measured in the same run.',
  positionals: { min: 0, max: PARTS.length },
  options: {
    bars: { type: 'number', value: 'N', help: 'bars of the backtest part (1000000)' },
    minutes: { type: 'number', value: 'N', help: 'length of a soak (20)' },
    speed: { type: 'number', value: 'N', help: 'of the market in a soak, times real time (50)' },
    json: { type: 'flag', help: 'one JSON object on standard output' },
  },
} as const

export async function benchCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  for (const name of parsed.positionals) {
    if (!PARTS.includes(name as Part)) throw new UserError(`expected a part of ${PARTS.join(', ')}, found ${name}`)
  }
  const parts = parsed.positionals.length === 0 ? BY_DEFAULT : (parsed.positionals as Part[])
  const result: Record<string, unknown> = { node: process.version, at: new Date().toISOString() }
  for (const part of parts) {
    process.stderr.write(`jts: measuring ${part}\n`)
    result[part] = await measure(part, parsed.options)
  }
  process.stdout.write(`${JSON.stringify(result, null, parsed.options.json ? undefined : 2)}\n`)
  return EXIT.ok
}

type Measured = Readonly<Record<'bars' | 'minutes' | 'speed', number | undefined>>

async function measure(part: Part, { bars, minutes, speed }: Measured): Promise<unknown> {
  const root = '../../../../bench'
  switch (part) {
    case 'backtest': {
      const { benchBacktest } = (await import(`${root}/backtest.ts`)) as typeof import('../../../../bench/backtest.ts')
      return benchBacktest(bars)
    }
    case 'lock-step': {
      const { benchLockStep } = (await import(
        `${root}/lock-step.ts`
      )) as typeof import('../../../../bench/lock-step.ts')
      return benchLockStep(recorded())
    }
    case 'latency': {
      const { benchFloor } = (await import(
        `${root}/tick-to-order-floor.ts`
      )) as typeof import('../../../../bench/tick-to-order-floor.ts')
      const { benchLockStep } = (await import(
        `${root}/lock-step.ts`
      )) as typeof import('../../../../bench/lock-step.ts')
      const floorUs = await benchFloor()
      const { latencyUs } = await benchLockStep(undefined, 4000)
      const { tickToWire } = latencyUs as { tickToWire: { p50: number; p99: number } }
      return {
        floorUs,
        latencyUs,
        tickToOrderToFloor: { p50: tickToWire.p50 / floorUs.p50, p99: tickToWire.p99 / floorUs.p99 },
      }
    }
    case 'bus': {
      const { benchBus } = (await import(`${root}/bus.ts`)) as typeof import('../../../../bench/bus.ts')
      return benchBus()
    }
    case 'isolation': {
      const { benchIsolation } = (await import(
        `${root}/isolation.ts`
      )) as typeof import('../../../../bench/isolation.ts')
      return benchIsolation()
    }
    case 'install': {
      const { benchInstall } = (await import(`${root}/install.ts`)) as typeof import('../../../../bench/install.ts')
      return benchInstall()
    }
    case 'distributed': {
      const { benchDistributed } = (await import(
        `${root}/distributed.ts`
      )) as typeof import('../../../../bench/distributed.ts')
      return benchDistributed()
    }
    // Two parts of `distributed`, alone.
    case 'kafka-bus': {
      const { withServers } = (await import(
        `${root}/distributed.ts`
      )) as typeof import('../../../../bench/distributed.ts')
      const { benchKafkaBus } = (await import(
        `${root}/kafka-bus.ts`
      )) as typeof import('../../../../bench/kafka-bus.ts')
      return withServers(({ kafka, postgres }) => benchKafkaBus(kafka.brokers, postgres.url))
    }
    case 'after-kill': {
      const { withServers } = (await import(
        `${root}/distributed.ts`
      )) as typeof import('../../../../bench/distributed.ts')
      const { benchAfterKill } = (await import(
        `${root}/after-kill.ts`
      )) as typeof import('../../../../bench/after-kill.ts')
      return withServers(({ folder, env, postgres }) => benchAfterKill(join(folder, 'live'), env, postgres.url))
    }
    case 'observe': {
      const { benchObserve } = (await import(`${root}/observe.ts`)) as typeof import('../../../../bench/observe.ts')
      return benchObserve()
    }
    case 'soak':
    case 'soak-embedded': {
      const { benchSoak } = (await import(`${root}/soak.ts`)) as typeof import('../../../../bench/soak.ts')
      return benchSoak({
        mode: part === 'soak' ? 'distributed' : 'embedded',
        minutes: minutes ?? 20,
        speed: speed ?? 50,
        say: (words) => process.stderr.write(`jts: ${words}\n`),
      })
    }
    case 'at-rest': {
      const { benchAtRest } = (await import(`${root}/at-rest.ts`)) as typeof import('../../../../bench/at-rest.ts')
      return benchAtRest()
    }
  }
}

/** The recorded 1-minute file, where the recordings are at hand. */
function recorded(): string | undefined {
  const folder = process.env['JTS_RECORDINGS']
  const file = folder === undefined ? undefined : join(folder, 'binance-spot-BTCUSDT-1m-2024-12.csv.gz')
  return file !== undefined && existsSync(file) ? file : undefined
}
