/** The Node.js services as things to build: how each is started, and what it reads beside what it imports. */

export type BuiltService = {
  /** Arguments of the command line that start it. */
  readonly start: readonly string[]
  /** The commands that its folder can run. */
  readonly commands: readonly string[]
  /** How its container asks whether it works: an address that answers, or the arguments of the command `healthy`. */
  readonly health: string | readonly string[]
  /** Files that are read by path; `*` stands for any name in a folder. */
  readonly beside: readonly string[]
}

const CONTRACTS = ['libs/shared/contracts/proto/**/*.proto']
/** Every service of a run reads the run file, and with it the strategies that the run names. */
const STRATEGIES = ['strategies/*.ts']

const hosted = (name: string): BuiltService => ({
  start: ['serve', name],
  commands: ['serve', 'healthy'],
  health: ['--grpc-port', '50051', '--run', '/run/jts/run-distributed.json'],
  beside: [...CONTRACTS, ...STRATEGIES],
})

export const BUILT_SERVICES: Readonly<Record<string, BuiltService>> = {
  'risk-management': hosted('risk-management'),
  'portfolio-tracker': hosted('portfolio-tracker'),
  'order-execution': hosted('order-execution'),
  'binance-service': hosted('binance-service'),
  'strategy-engine': hosted('strategy-engine'),
  'market-data-collector': hosted('market-data-collector'),
  'notification-service': hosted('notification-service'),
  // Holds the run: its screen, its file, and a replay's conductor.
  'api-gateway': {
    start: ['up', '--distributed', '--elsewhere'],
    commands: [
      ...['up', 'serve', 'serve-gateway', 'venue', 'status', 'halt', 'resume', 'adjust', 'data'],
      ...['events', 'why', 'rebuild', 'archive', 'doctor'],
    ],
    health: 'http://127.0.0.1:8700/',
    beside: [...CONTRACTS, ...STRATEGIES, 'apps/presentation/web-app/dist/**/*', 'jts.example.yaml'],
  },
  'binance-venue': {
    start: ['venue', 'binance'],
    commands: ['venue'],
    health: 'http://127.0.0.1:9001/api/v3/ping',
    beside: [],
  },
}
