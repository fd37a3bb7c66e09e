/** Every border is shown to hold: a rule whose pattern matches nothing would pass in silence. */
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { ESLint } from 'eslint'
import tseslint from 'typescript-eslint'
import { allowedTypes } from './boundaries.ts'

const root = `${import.meta.dirname}/../..`

/** The probed files are not on disk, so the rules that ask the compiler are left out. */
const eslint = new ESLint({
  cwd: root,
  overrideConfig: [
    tseslint.configs.disableTypeChecked as never,
    { linterOptions: { reportUnusedDisableDirectives: 'off' } },
  ],
})

const borderRules = new Set([
  '@nx/enforce-module-boundaries',
  '@typescript-eslint/no-restricted-imports',
  'no-restricted-globals',
  'no-restricted-properties',
  'no-restricted-syntax',
])

/** The border rules a line breaks at this place. */
async function broken(filePath: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath: `${root}/${filePath}` })
  assert.ok(result, `${filePath} is linted`)
  const fatal = result.messages.filter((message) => message.fatal)
  assert.deepEqual(fatal, [], `${filePath} is read`)
  const rules = result.messages.flatMap((message) =>
    message.ruleId && borderRules.has(message.ruleId) ? [message.ruleId] : [],
  )
  return [...new Set(rules)]
}

const use = (from: string) => `import * as it from '${from}'\nexport const used = it\n`
const useType = (from: string) => `import type * as it from '${from}'\nexport type Used = typeof it\n`

const nx = '@nx/enforce-module-boundaries'
const imports = '@typescript-eslint/no-restricted-imports'

const model = 'libs/trading/model/src/probe.ts'
const backtest = 'libs/trading/backtest/src/probe.ts'
const contracts = 'libs/shared/contracts/src/probe.ts'
const runtime = 'libs/shared/runtime/src/probe.ts'
const risk = 'apps/business/risk-management/src/probe.ts'
const domain = 'apps/business/risk-management/src/domain/probe.ts'
const binance = 'apps/brokers/binance-service/src/probe.ts'
const jts = 'apps/jts/src/probe.ts'
const strategy = 'strategies/probe.ts'
const venue = 'apps/venues/binance-venue/src/probe.ts'
const servers = 'infra/servers/probe.ts'
const web = 'apps/presentation/web-app/src/probe.ts'

const forbidden: [where: string, code: string, rule: string][] = [
  // model: nothing
  [model, use('@jts/contracts'), nx],
  [model, use('@jts/strategy-kit'), nx],
  [model, use('@jts/runtime/ids'), nx],
  // trading: model and trading
  [backtest, use('@jts/contracts/topics'), nx],
  [backtest, use('@jts/runtime'), nx],
  [backtest, use('@jts/risk-management'), nx],
  // contract: model
  [contracts, use('@jts/runtime'), nx],
  [contracts, use('@jts/matching'), nx],
  // kit: model, contract, kit
  [runtime, use('@jts/matching'), nx],
  [runtime, use('@jts/order-execution'), nx],
  [runtime, use('@jts/exchange'), nx],
  // service, broker: not another of them
  [risk, use('@jts/order-execution'), nx],
  [risk, use('@jts/binance-service'), nx],
  [risk, use('@jts/jts'), nx],
  [risk, use('@jts/binance-venue'), nx],
  [risk, use('@jts/strategies/ema-cross'), nx],
  [binance, use('@jts/risk-management'), nx],
  [binance, use('@jts/exchange'), nx],
  // strategy: strategy-kit and model
  [strategy, use('@jts/transport'), nx],
  [strategy, use('@jts/risk-management'), nx],
  [strategy, use('@jts/matching'), imports],
  [strategy, use('@jts/backtest'), imports],
  [strategy, use('node:fs'), imports],
  [strategy, 'export const at = Date.now()', 'no-restricted-properties'],
  // venue: shares nothing that could be wrong on both sides
  [venue, use('@jts/matching'), nx],
  [venue, use('@jts/binance-service'), nx],
  [venue, use('@jts/model'), imports],
  [venue, use('@jts/model/ledger'), imports],
  [venue, use('@jts/model/fees'), imports],
  [venue, useType('@jts/model/orders'), imports],
  [venue, use('@jts/contracts'), imports],
  [venue, use('@jts/contracts/topics'), imports],
  [venue, use('@jts/transport'), imports],
  [venue, use('@jts/broker-kit/port'), imports],
  // server: nothing, and only the plumbing and the command line start one
  [servers, use('@jts/runtime'), nx],
  [risk, use('@jts/servers'), nx],
  [binance, use('@jts/servers'), nx],
  [venue, use('@jts/servers'), nx],
  // web: model and contract
  [web, use('@jts/api-gateway'), nx],
  [web, useType('@jts/api-gateway/ports'), nx],
  [web, use('@jts/runtime'), nx],
  // across a project's wall, by a path
  [risk, use('../../order-execution/src/index.ts'), nx],
  [venue, use('../../../../libs/trading/model/src/ledger.ts'), nx],
  [jts, use('../../../libs/trading/model/src/index.ts'), nx],
  // a domain decides and touches nothing
  [domain, use('../adapters/tables.ts'), imports],
  [domain, useType('../adapters/tables.ts'), imports],
  ...[
    'node:fs',
    'node:fs/promises',
    'fs',
    'node:net',
    'node:http',
    'node:sqlite',
    'node:child_process',
    'node:timers/promises',
  ].map((name): [string, string, string] => [domain, use(name), imports]),
  ...['ws', 'fastify', 'undici', 'pino', '@grpc/grpc-js', 'kysely', '@platformatic/kafka'].map(
    (name): [string, string, string] => [domain, use(name), imports],
  ),
  [domain, use('@jts/transport'), imports],
  [domain, use('@jts/runtime/clocks'), imports],
  [domain, "export { randomUUID } from 'node:crypto'", imports],
  [domain, 'export const at = Date.now()', 'no-restricted-properties'],
  [domain, 'export const at = new Date()', 'no-restricted-syntax'],
  [domain, 'export const dice = Math.random()', 'no-restricted-properties'],
  [domain, 'setTimeout(() => undefined, 1)', 'no-restricted-globals'],
  [domain, 'export const at = performance.now()', 'no-restricted-globals'],
  [domain, "export const later = () => import('node:fs')", 'no-restricted-syntax'],
  // the trading core likewise
  [backtest, use('node:fs'), imports],
  [backtest, use('node:sqlite'), imports],
  [backtest, use('pino'), imports],
  [model, 'export const at = Date.now()', 'no-restricted-properties'],
  [model, 'export const dice = Math.random()', 'no-restricted-properties'],
  [model, 'setTimeout(() => undefined, 1)', 'no-restricted-globals'],
  [model, 'export const at = performance.now()', 'no-restricted-globals'],
]

const allowed: [where: string, code: string][] = [
  [backtest, use('@jts/model/numbers')],
  [backtest, use('@jts/matching')],
  [backtest, "export { createHash } from 'node:crypto'"],
  ['libs/trading/strategy-kit/src/load.ts', use('node:fs')],
  [contracts, use('@jts/model')],
  ['libs/shared/transport/src/probe.ts', use('@jts/contracts/topics')],
  ['libs/shared/transport/src/probe.ts', use('@jts/servers')],
  [risk, use('@jts/transport')],
  [domain, use('@jts/model')],
  [domain, use('@jts/runtime/ids')],
  [domain, useType('@jts/broker-kit')],
  [domain, 'export const day = new Date(0)'],
  [jts, use('@jts/risk-management')],
  [jts, use('@jts/binance-service')],
  [jts, use('@jts/servers/kafka-jars')],
  [strategy, use('@jts/strategy-kit')],
  [strategy, use('@jts/model/numbers')],
  [venue, use('@jts/model/numbers')],
  [venue, use('@jts/model/instruments')],
  [venue, use('@jts/contracts/lock-step')],
  [venue, use('@jts/runtime')],
  [venue, use('@jts/exchange')],
  [web, use('@jts/contracts')],
]

const title = (where: string, code: string) => `${where}: ${code.split('\n')[0] ?? ''}`

for (const [where, code, rule] of forbidden) {
  test(`forbids ${title(where, code)}`, async () => {
    assert.ok((await broken(where, code)).includes(rule), `expected ${rule} to refuse it`)
  })
}

for (const [where, code] of allowed) {
  test(`allows ${title(where, code)}`, async () => {
    assert.deepEqual(await broken(where, code), [])
  })
}

for (const file of globSync('{apps/*,apps/*/*,libs/*/*,infra/*,strategies}/project.json', {
  cwd: root,
  exclude: ['**/node_modules/**'],
})) {
  test(`${file} carries the tags the borders are drawn by`, () => {
    const { tags } = JSON.parse(readFileSync(`${root}/${file}`, 'utf8')) as { tags: string[] }
    const of = (kind: string) =>
      tags.filter((tag) => tag.startsWith(`${kind}:`)).map((tag) => tag.slice(kind.length + 1))
    assert.equal(of('scope').length, 1, 'one scope')
    assert.equal(of('platform').length, 1, 'one platform')
    assert.deepEqual(
      of('type').filter((type) => type in allowedTypes),
      of('type'),
      'a known type',
    )
    assert.equal(of('type').length, 1, 'one type')
  })
}
