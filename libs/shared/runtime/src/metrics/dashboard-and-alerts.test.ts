/** The dashboard and the rules show only what the code tells. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { METRICS, type MetricSpec } from './catalogue.ts'
import { createPrometheusMetrics } from './prometheus.ts'
import { parse } from 'yaml'

const ROOT = join(import.meta.dirname, '../../../../..')
const read = (file: string): string => readFileSync(join(ROOT, 'infra/observability', file), 'utf8')

type Target = { readonly expr: string }
type Panel = {
  readonly id: number
  readonly title: string
  readonly type: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly Target[]
}
type Dashboard = { readonly panels: readonly Panel[]; readonly templating: { readonly list: { query: string }[] } }
type Rule = {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string }
}

const dashboard = JSON.parse(read('grafana-dashboard.json')) as Dashboard
const { groups } = parse(read('alerts.yml')) as { groups: { name: string; rules: Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)
const known = new Set(createPrometheusMetrics({ service: 'test', mode: 'sim' }).names())
const specs: Readonly<Record<string, MetricSpec>> = METRICS

/** The series that an expression names, each with the labels that it asks for in braces. */
function seriesOf(expr: string): { name: string; labels: string[] }[] {
  return [...expr.matchAll(/\b((?:jts|process|nodejs)_[a-z0-9_]+)(?:\{([^}]*)\})?/g)].map(([, name, braces = '']) => ({
    name: name!,
    labels: [...braces.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label!),
  }))
}

function check(where: string, expr: string): void {
  const series = seriesOf(expr)
  assert.ok(series.length > 0 || /\bup\{/.test(expr), `${where}: names no metric: ${expr}`)
  for (const { name, labels } of series) {
    const base = known.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, '')
    assert.ok(known.has(base), `${where}: ${name} is told by nobody`)
    assert.ok(base === name || specs[base]?.kind === 'histogram', `${where}: ${base} is no histogram`)
    for (const label of labels) {
      const own = specs[base]?.labels ?? []
      assert.ok([...own, 'mode', 'service'].includes(label), `${where}: ${name} has no label ${label}`)
    }
    // A counter alone only tells how long the process has been up.
    if (specs[base]?.kind === 'counter') assert.match(expr, /\b(?:rate|increase)\(/, where)
  }
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) =>
    list!.split(',').map((one) => one.trim()),
  )
  const allowed = series.flatMap(({ name }) => {
    const base = known.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, '')
    return [...(specs[base]?.labels ?? []), 'mode', 'service', 'le']
  })
  for (const label of grouped) assert.ok(allowed.includes(label), `${where}: nothing there has a label ${label}`)
  assert.equal(expr.split('(').length, expr.split(')').length, `${where}: brackets`)
}

for (const panel of dashboard.panels.filter(({ type }) => type !== 'row')) {
  test(`panel «${panel.title}» shows what the code tells`, () => {
    assert.ok(panel.targets!.length > 0)
    for (const { expr } of panel.targets!) check(panel.title, expr)
  })
}

for (const rule of rules) {
  test(`${rule.alert} watches what the code tells, and says what to do`, () => {
    check(rule.alert, rule.expr)
    assert.match(rule.alert, /^Jts[A-Z][A-Za-z]+$/)
    assert.ok(['page', 'ticket'].includes(rule.labels.severity))
    assert.ok(rule.annotations.summary.length > 10 && rule.annotations.description.length > 10)
  })
}

test('rules and panels are each there once', () => {
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length)
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
})

test('every metric is on the dashboard, and in the guide with its meaning', () => {
  const shown = new Set(
    [
      ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
      ...dashboard.templating.list.map(({ query }) => query),
    ].flatMap((expr) => seriesOf(expr).map(({ name }) => name.replace(/_bucket$/, ''))),
  )
  const guide = readFileSync(join(ROOT, 'docs/guides/observing.md'), 'utf8')
  for (const [name, { labels }] of Object.entries(specs)) {
    if (name !== 'jts_service_starts') assert.ok(shown.has(name), `${name} is not on the dashboard`)
    const row = guide.split('\n').find((line) => line.startsWith(`| \`${name}\``))
    assert.ok(row !== undefined, `${name} is not in docs/guides/observing.md`)
    for (const label of labels) assert.ok(row.includes(label), `${name}: its label ${label} is not in the guide`)
  }
})

test('every metric has somebody who tells it', () => {
  const sources = globSync('{apps,libs}/**/src/**/*.ts', {
    cwd: ROOT,
    exclude: (name) => ['node_modules', 'dist', 'generated'].includes(name) || /\.(test|bench)\.ts$/.test(name),
  })
  const told = sources.flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(/\.(counter|histogram|gauge|onScrape)\(\s*'(jts_\w+)'/g)].map(
      ([, , name]) => name!,
    ),
  )
  assert.deepEqual([...new Set(told)].sort(), Object.keys(specs).sort())
})

test('the scrape configuration loads the rules that are beside it', () => {
  const { rule_files, scrape_configs } = parse(read('prometheus.yml')) as {
    rule_files: string[]
    scrape_configs: { job_name: string }[]
  }
  for (const file of rule_files) assert.ok(read(file).length > 0)
  for (const { job_name } of scrape_configs) assert.match(job_name, /^jts/)
})
