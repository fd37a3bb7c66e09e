/** What goes into a service's folder, and what does not. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { after, test } from 'node:test'
import { entriesOf, leavesOut } from './build.ts'
import { BUILT_SERVICES } from './services.ts'
import { trace, type Trace } from './trace.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const made: string[] = []
after(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })))

/** A small workspace: one program, one package of ours, outside packages. */
function workspace(files: Readonly<Record<string, string>>): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'jts-trace-')))
  made.push(root)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  return root
}

const paths = (root: string, set: ReadonlySet<string>): string[] => [...set].map((file) => relative(root, file)).sort()

const OUTSIDE = {
  'node_modules/outer/package.json': '{"dependencies":{"inner":"1"},"optionalDependencies":{"absent":"1"}}',
  'node_modules/inner/package.json': '{}',
  'node_modules/unused/package.json': '{}',
}

test('imports are followed through our files; types are not, packages are taken whole with what they need', () => {
  const root = workspace({
    ...OUTSIDE,
    'main.ts': "import { a } from './a.ts'\nimport type { T } from './types.ts'\nexport { a }\nexport type { T }\n",
    'a.ts': "import fs from 'node:fs'\nimport outer from 'outer/sub'\nexport const a = [fs, outer]\n",
    'types.ts': 'export type T = 1\n',
  })
  const found = trace({ root, entries: ['main.ts'] })
  assert.deepEqual(paths(root, found.files), ['a.ts', 'main.ts'])
  assert.deepEqual(paths(root, found.packages), ['node_modules/inner', 'node_modules/outer'])
})

test('what is imported at run time belongs to the program unless it is left out', () => {
  const root = workspace({
    'main.ts': "await import('./used.ts')\nawait import('./other.ts')\n",
    'used.ts': '',
    'other.ts': '',
  })
  const found = trace({ root, entries: ['main.ts'], isLeftOut: (_, to) => to.endsWith('other.ts') })
  assert.deepEqual(paths(root, found.files), ['main.ts', 'used.ts'])
})

test('a package that is not installed, and one that lacks what it needs, are told with their place', () => {
  const root = workspace({ 'main.ts': "import 'nowhere'\n" })
  assert.throws(() => trace({ root, entries: ['main.ts'] }), /main\.ts: expected the package nowhere to be installed/)
  const lacking = workspace({
    'main.ts': "import 'outer'\n",
    'node_modules/outer/package.json': '{"dependencies":{"inner":"1"}}',
  })
  assert.throws(() => trace({ root: lacking, entries: ['main.ts'] }), /outer: expected inner beside it, found none/)
})

const traced = (service: string): Trace => trace({ root: ROOT, ...entriesOf(ROOT, service) })

test('a business service carries strategies and contracts, and nothing of the screen, the venue or the tests', () => {
  const { files, packages } = traced('risk-management')
  const names = paths(ROOT, files)
  for (const wanted of [
    'strategies/ema-cross.ts',
    'libs/shared/contracts/proto/jts.proto',
    'apps/jts/src/commands/serve.ts',
  ]) {
    assert.ok(names.includes(wanted), wanted)
  }
  assert.deepEqual(
    names.filter((name) =>
      /\.test\.|apps\/venues|apps\/presentation|commands\/(up|test|bench|backtest)\.ts/.test(name),
    ),
    [],
  )
  for (const unwanted of ['vite', 'nx', 'typescript', 'eslint', 'playwright-core', 'react']) {
    assert.ok(!paths(ROOT, packages).includes(`node_modules/${unwanted}`), unwanted)
  }
})

test('who holds the run has every command that looks at it or acts on it', () => {
  // Without what stands beside it: its screen is there only once it has been built.
  const { commands } = BUILT_SERVICES['api-gateway']!
  const { files } = trace({ root: ROOT, entries: ['apps/jts/src/main.ts'], isLeftOut: leavesOut(ROOT, commands) })
  const names = paths(ROOT, files)
  for (const command of ['status', 'halt', 'adjust', 'data', 'events', 'why', 'rebuild', 'archive', 'doctor'])
    assert.ok(names.includes(`apps/jts/src/commands/${command}.ts`), command)
})

test('a local venue shares nothing with the services but numbers, instruments and plumbing', () => {
  const names = paths(ROOT, traced('binance-venue').files)
  assert.deepEqual(
    names.filter((name) =>
      /^apps\/(business|integration|brokers|presentation)|ledger|libs\/trading\/matching/.test(name),
    ),
    [],
  )
})
