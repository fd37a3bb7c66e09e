// Who may import whom, as data: eslint.config.js enforces it and boundaries.test.ts proves every row with a forbidden import.
import { builtinModules } from 'node:module'

/** The `type:` tags and what each may use. Nothing is a wildcard: a new type is forbidden everything until it is written here. */
export const allowedTypes = {
  model: [],
  trading: ['model', 'trading'],
  contract: ['model'],
  // Starts programs outside JTS: for tests of what speaks to them, and for the command line.
  server: [],
  kit: ['model', 'contract', 'kit', 'server'],
  service: ['model', 'trading', 'contract', 'kit'],
  broker: ['model', 'trading', 'contract', 'kit'],
  app: ['model', 'trading', 'contract', 'kit', 'service', 'broker', 'strategy', 'venue', 'web', 'server'],
  strategy: ['trading', 'model'],
  venue: ['model', 'contract', 'kit', 'venue'],
  // What the screen shares with api-gateway lies on the floor below both, in contracts.
  web: ['model', 'contract'],
}

export const moduleBoundaries = [
  'error',
  {
    enforceBuildableLibDependency: false,
    allow: [],
    depConstraints: Object.entries(allowedTypes).map(([type, allowed]) => ({
      sourceTag: `type:${type}`,
      onlyDependOnLibsWithTags: allowed.map((name) => `type:${name}`),
    })),
  },
]

type ImportPattern = { regex: string; message: string; allowTypeImports?: boolean }

const pattern = (regex: string, message: string, options: { allowTypeImports?: boolean } = {}): ImportPattern => ({
  regex,
  message,
  ...options,
})

/** Node's own modules by either spelling, but for `assert` and `crypto` (hashes: computed ids). */
const nodeModules = `^(?!(?:node:)?(?:assert|crypto)(?:/|$))(?:node:.*|(?:${builtinModules.filter((name) => !name.startsWith('node:') && !name.startsWith('_')).join('|')})(?:/.*)?)$`

/** Anything that is neither our own file, nor our own library, nor Node's. */
const thirdParty = `^(?!\\.{1,2}(?:/|$)|@jts/|node:|(?:${builtinModules.filter((name) => !name.startsWith('_')).join('|')})(?:/|$))`

const noIo = [
  pattern(
    nodeModules,
    'Expected decisions without I/O; found a Node module. Take the value as an argument, or move this to adapters/.',
  ),
  pattern(thirdParty, 'Expected decisions of plain values; found an outside library. Wrap it in adapters/.'),
]

/** `crypto` is there for hashes; what it draws would differ between two readings. */
const noChance = [
  {
    name: 'node:crypto',
    importNames: ['randomBytes', 'randomInt', 'randomUUID', 'webcrypto'],
    message: 'Chance comes in as an argument.',
  },
]

/** For a service's `src/domain`: types of a port are words and may be named, its code may not be called. */
export const domainImports = [
  'error',
  {
    paths: noChance,
    patterns: [
      ...noIo,
      pattern(
        '(^|/)adapters(/|$)',
        'Expected arrows from adapters to domain; found one back. Take what you need as an argument.',
      ),
      pattern(
        '^@jts/(?:transport|runtime(?!/ids(?:\\.ts)?$)|broker-kit|market-store|api-client|testkit)(?:/|$)',
        'Expected decisions without plumbing; found a kit. Name its types with `import type`, or move this to service.ts.',
        { allowTypeImports: true },
      ),
    ],
  },
]

export const tradingImports = ['error', { paths: noChance, patterns: noIo }]

/** Venues are the truth we compare with: they share only what cannot be wrong on both sides. */
export const venueImports = [
  'error',
  {
    patterns: [
      pattern(
        '^@jts/model(?!/(?:numbers|instruments|ids)(?:\\.ts)?$)',
        'Expected only numbers, instruments and ids of the model: a venue has its own rules.',
      ),
      pattern('^@jts/contracts(?!/lock-step(?:\\.ts)?$)', 'Expected only the lock-step message of the contracts.'),
      pattern(
        '^@jts/(?:transport|broker-kit|api-client|testkit)(?:/|$)',
        'Expected only runtime and market-store of the plumbing.',
      ),
    ],
  },
]

export const strategyImports = [
  'error',
  {
    paths: noChance,
    patterns: [
      ...noIo,
      pattern(
        '^@jts/(?!(?:strategy-kit|model)(?:/|$))',
        'Expected only the strategy kit and the model: a strategy runs anywhere.',
      ),
    ],
  },
]

const timeAndChance =
  'Expected the same outcome for the same state and event: time, chance and timers come in as arguments.'

/** What would make a decision differ between two readings of the same log. */
export const deterministic = {
  'no-restricted-globals': [
    'error',
    ...[
      'setTimeout',
      'setInterval',
      'setImmediate',
      'queueMicrotask',
      'performance',
      'crypto',
      'process',
      'fetch',
      'WebSocket',
      'console',
      'globalThis',
      'require',
    ].map((name) => ({ name, message: timeAndChance })),
  ],
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: timeAndChance },
    { object: 'Math', property: 'random', message: timeAndChance },
  ],
  'no-restricted-syntax': [
    'error',
    { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: timeAndChance },
    { selector: 'CallExpression[callee.name="Date"]', message: timeAndChance },
    { selector: 'ImportExpression', message: 'Expected imports at the top, where the boundary rules see them.' },
  ],
}
