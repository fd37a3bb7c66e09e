/** Whole replays as a person starts them: same fills as the backtest, two accounts, folders, wrong inputs, untrue venues. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runJts, startJts, syntheticBarsCsv, writeSyntheticBars } from '@jts/testkit'

const folder = mkdtempSync(join(tmpdir(), 'jts-replay-'))
after(() => rmSync(folder, { recursive: true, force: true }))

type Summary = {
  bars: number
  signals: number
  approved: number
  denied: number
  orders: number
  fills: number
  cash: string
  position: string
  equity: string
  realisedPnl: string
  fees: Record<string, string>
  fillsSha256: string
  reconciled: boolean
  differences: string[]
}

const SAME = [
  'bars',
  'signals',
  'approved',
  'denied',
  'orders',
  'fills',
  'cash',
  'position',
  'equity',
  'realisedPnl',
  'fees',
  'fillsSha256',
] as const

function file(symbol: string, bars: number, seed: number, priceStart: number): string {
  return writeSyntheticBars(join(folder, `${symbol}-1m-${seed}-${bars}.csv`), { bars, seed, priceStart })
}

async function replay(args: readonly string[], env: Record<string, string> = {}) {
  const run = await runJts(['up', ...args, '--until-end', '--json'], env)
  assert.notEqual(run.stdout, '', run.stderr)
  return { ...run, summary: JSON.parse(run.stdout) as Summary }
}

const btc = file('BTCUSDT', 1500, 3, 40_000)

test('a replay gives the figures and fills of the backtest, with slippage as without, held back or not', async () => {
  for (const [slippage, speed] of [
    ['0', 'max'],
    // Twenty-five hours of market time in 2.5 s.
    ['5', '36000'],
  ] as const) {
    const begunMs = performance.now()
    const wanted = ['--strategy', 'ema-cross', '--slippage-bps', slippage, '--speed', speed]
    const live = await replay(['--replay', btc, ...wanted])
    const tookMs = performance.now() - begunMs
    assert.ok(speed === 'max' || tookMs > 2400, `expected market time to be held back, found an end after ${tookMs} ms`)
    const backtest = await runJts(['backtest', 'ema-cross', '--data', btc, '--slippage-bps', slippage, '--json'])
    const expected = JSON.parse(backtest.stdout) as Summary
    assert.ok(expected.fills > 20)
    for (const key of SAME) assert.deepEqual(live.summary[key], expected[key], key)
    assert.equal(live.summary.reconciled, true)
    assert.equal(live.code, 0)
  }
})

test('the fills written as CSV are the lines of the digest', async () => {
  const out = join(folder, 'fills.csv')
  const { summary } = await replay(['--replay', btc, '--strategy', 'ema-cross', '--fills', out])
  assert.equal(createHash('sha256').update(readFileSync(out)).digest('hex'), summary.fillsSha256)
})

test('a finished folder says its summary again and refuses other inputs', async () => {
  const dir = join(folder, 'finished')
  const args = ['--replay', btc, '--strategy', 'ema-cross', '--data-dir', dir]
  const first = await replay(args)
  const second = await replay(args)
  assert.deepEqual(second.summary, first.summary)
  const other = await runJts(['up', ...args, '--set', 'fast=5', '--until-end', '--json'])
  assert.equal(other.code, 2)
  assert.match(other.stderr, /other inputs/)
})

test('three strategies on five instruments and two accounts that compete for cash give the same bytes twice over', async () => {
  const markets = [
    ['BTCUSDT', 40_000],
    ['ETHUSDT', 2000],
    ['SOLUSDT', 100],
    ['XRPUSDT', 20],
    ['ADAUSDT', 10],
  ] as const
  const files = markets.map(([symbol, price], i) => file(symbol, 400, 11 + i, price))
  const config = join(folder, 'jts.yaml')
  const strategies = [
    ['fast', 'main', 'BTCUSDT', '2', 3, 7],
    ['slow', 'main', 'ETHUSDT', '30', 5, 12],
    ['other', 'second', 'SOLUSDT', '600', 4, 9],
  ]
  writeFileSync(
    config,
    [
      'accounts:',
      '  - name: main',
      '  - name: second',
      'strategies:',
      ...strategies.flatMap(([instance, account, symbol, quantity, fast, slow]) => [
        `  - { instance: ${instance}, strategy: ema-cross, account: ${account}, instrument: "BINANCE:${symbol}",`,
        `      parameters: { quantity: "${quantity}", fast: ${fast}, slow: ${slow} } }`,
      ]),
      '',
    ].join('\n'),
  )
  const runs = []
  for (const name of ['a', 'b']) {
    const dir = join(folder, `multi-${name}`)
    const run = await replay(['--config', config, ...files.flatMap((one) => ['--replay', one]), '--data-dir', dir])
    assert.deepEqual(run.summary.differences, [])
    const logs = []
    for (const topic of [
      'strategy.signals',
      'orders.signals',
      'orders.events',
      'orders.fills',
      'portfolio.positions',
      'risk.alerts',
    ]) {
      const events = await runJts(['events', 'tail', topic, '--limit', '0', '--data-dir', dir])
      assert.equal(events.code, 0, events.stderr)
      logs.push(events.stdout.split('\n').sort().join('\n'))
    }
    runs.push({ summary: run.summary, events: logs })
  }
  const [first, second] = runs
  assert.ok(first!.summary.fills > 20, `expected many fills, found ${first!.summary.fills}`)
  assert.ok(first!.summary.denied > 0, 'expected the strategies to compete for cash')
  assert.equal(second!.summary.fillsSha256, first!.summary.fillsSha256)
  assert.deepEqual(second!.events, first!.events)
})

const untrue: readonly [fault: string, reconciled: boolean][] = [
  ['balance-fee=0.0011', false],
  ['phantom-fill=3', false],
  ['drop-user-event=5', true],
  ['drop-user-event=every', true],
  ['timeout-after-accept=4', true],
  ['timeout-before-accept=4', true],
  ['drop-connection-after-accept=4', true],
  ['duplicate-user-event=2', true],
  ['reply-after-event', true],
  ['disconnect-streams-every=40', true],
]

for (const [fault, reconciled] of untrue) {
  test(`against a venue with the fault ${fault} the ledger is found ${reconciled ? 'equal' : 'different'}`, async () => {
    const data = file('BTCUSDT', 400, 3, 40_000)
    const venueProcess = startJts(['venue', 'binance', '--port', '0', '--replay', data, '--fault', fault, '--json'])
    try {
      const venue = JSON.parse(await venueProcess.firstLine) as { restUrl: string; apiKey: string; apiSecret: string }
      const { summary, code } = await replay(
        ['--venue', `binance=${venue.restUrl}`, '--replay', data, '--strategy', 'ema-cross', '--send-window-ms', '500'],
        { JTS_BINANCE_API_KEY: venue.apiKey, JTS_BINANCE_API_SECRET: venue.apiSecret },
      )
      assert.equal(summary.reconciled, reconciled, summary.differences.join('; '))
      assert.equal(code, reconciled ? 0 : 1)
      if (!reconciled) return
      const backtest = await runJts(['backtest', 'ema-cross', '--data', data, '--json'])
      assert.equal(summary.fillsSha256, (JSON.parse(backtest.stdout) as Summary).fillsSha256)
    } finally {
      venueProcess.child.kill('SIGKILL')
      await venueProcess.ended
    }
  })
}

const csv = syntheticBarsCsv({ bars: 5, seed: 1 })
const lines = csv.trimEnd().split('\n')
const replaceCell = (row: number, cell: number, text: string): string =>
  lines
    .map((line, i) =>
      i === row
        ? line
            .split(',')
            .map((value, c) => (c === cell ? text : value))
            .join(',')
        : line,
    )
    .join('\n')
const wrong: readonly [name: string, text: string, said: RegExp][] = [
  ['a missing column', lines.map((line) => line.split(',').slice(0, 4).join(',')).join('\n'), /line 1\b.*expected/],
  ['a gap', [...lines.slice(0, 3), ...lines.slice(4)].join('\n'), /:4|line 4/],
  ['a bar out of order', [...lines.slice(0, 2), lines[3], lines[2], ...lines.slice(4)].join('\n'), /line \d/],
  ['a NaN price', replaceCell(2, 4, 'NaN'), /line 3\b.*expected/],
  ['an empty price', replaceCell(2, 1, ''), /line 3\b.*expected/],
  ['a high below the low', replaceCell(2, 2, '1'), /line 3\b.*expected/],
]

for (const [name, text, said] of wrong) {
  test(`a file with ${name} is refused naming file, line and what was expected, by replay and backtest alike`, async () => {
    const path = join(folder, 'BTCUSDT-1m-wrong.csv')
    writeFileSync(path, text)
    for (const args of [
      ['up', '--replay', path, '--strategy', 'ema-cross', '--until-end', '--json'],
      ['backtest', 'ema-cross', '--data', path, '--json'],
    ]) {
      const run = await runJts(args)
      assert.equal(run.code, 2)
      assert.equal(run.stdout, '')
      assert.match(run.stderr, /BTCUSDT-1m-wrong\.csv/)
      assert.match(run.stderr, said)
    }
  })
}

test('a truncated gzip is refused', async () => {
  const path = join(folder, 'BTCUSDT-1m-short.csv.gz')
  const whole = execFileSync('gzip', ['-c'], { input: csv })
  writeFileSync(path, whole.subarray(0, whole.length - 12))
  const run = await runJts(['backtest', 'ema-cross', '--data', path, '--json'])
  assert.equal(run.code, 2)
  assert.match(run.stderr, /short\.csv\.gz.*gzip/s)
})

test('a strategy that orders more on one bar than the venue takes is told so, and the replay goes on', async () => {
  const strategy = join(folder, 'flood.ts')
  writeFileSync(
    strategy,
    `import { defineStrategy } from '@jts/strategy-kit'
export default defineStrategy({
  name: 'flood',
  parameters: {},
  state: () => ({ bars: 0 }),
  onBar(bar, { state, buy }) {
    if (++state.bars !== 3) return
    for (let i = 0; i < 120; i++) buy(0.01, { limit: bar.close / 2 })
  },
})
`,
  )
  const { summary } = await replay(['--replay', file('ETHUSDT', 20, 5, 2000), '--strategy', strategy])
  assert.equal(summary.signals, 120)
  assert.equal(summary.orders, 120)
  assert.equal(summary.reconciled, true)
})

test('a strategy that throws ends a replay with its words, as it ends a backtest, also when it is started again', async () => {
  const strategy = join(folder, 'fails.ts')
  writeFileSync(
    strategy,
    `import { defineStrategy } from '@jts/strategy-kit'
export default defineStrategy({
  name: 'fails',
  parameters: {},
  state: () => ({ bars: 0 }),
  onBar(_bar, { state, buy }) {
    if (++state.bars === 2) buy('0.1')
    if (state.bars === 4) throw new Error('no such index')
  },
})
`,
  )
  const bars = file('ETHUSDT', 60, 5, 2000)
  const backtest = await runJts(['backtest', strategy, '--data', bars, '--json'])
  assert.notEqual(backtest.code, 0)
  assert.match(backtest.stderr, /no such index/)
  const args = [
    'up',
    '--replay',
    bars,
    '--strategy',
    strategy,
    '--until-end',
    '--json',
    '--data-dir',
    join(folder, 'fails'),
  ]
  for (const said of [/expected onBar of fails .* found no such index/, /fails is barred since an earlier start/]) {
    const run = await runJts(args)
    assert.deepEqual([run.code, run.stdout], [2, ''])
    assert.match(run.stderr, said)
  }
})
