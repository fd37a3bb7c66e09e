/** The Node.js services as things to build: how each is started, and what it reads beside what it imports. */

export type BuiltService = {
  /** Arguments of the command line that start it. */
  readonly start: readonly string[]
  /** The commands that its folder can run. */
  readonly commands: readonly string[]
  /** Files that are read by path; `*` stands for any name in a folder. */
  readonly beside: readonly string[]
}

const CONTRACTS = ['libs/shared/contracts/proto/**/*.proto']
/** Every service of a run reads the run file, and with it the strategies that the run names. */
const STRATEGIES = ['strategies/*.ts']

const hosted = (name: string): BuiltService => ({
  start: ['serve', name],
  commands: ['serve'],
  beside: [...CONTRACTS, ...STRATEGIES],
})

export const BUILT_SERVICES: Readonly<Record<string, BuiltService>> = {
  'risk-management': hosted('risk-management'),
  'portfolio-tracker': hosted('portfolio-tracker'),
  'order-execution': hosted('order-execution'),
  'strategy-engine': hosted('strategy-engine'),
  'market-data-collector': hosted('market-data-collector'),
  'notification-service': hosted('notification-service'),
  // Holds the run: its screen, its file, and a replay's conductor.
  'api-gateway': {
    start: ['up', '--distributed'],
    commands: ['up', 'serve', 'venue', 'halt', 'resume', 'doctor', 'events'],
    beside: [...CONTRACTS, ...STRATEGIES, 'apps/presentation/web-app/dist/**/*', 'jts.example.yaml'],
  },
  'binance-venue': { start: ['venue', 'binance'], commands: ['venue'], beside: [] },
}
