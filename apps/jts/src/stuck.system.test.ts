/** A real strategy file that loops for ever: it is ended, a halt answers in time, the others go on, and it stays barred. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { freePort } from '@jts/servers'
import { runJts, sleep, startJts, type JtsProcess } from '@jts/testkit'
import { openLog } from './open-log.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-stuck-'))
const started: JtsProcess[] = []
after(() => {
  for (const { child } of started) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

// Said in the configuration, as a person does who keeps a page open.
const port = await freePort()
/** Generous: it says that it happens, not how fast this machine is. */
const WITHIN_MS = 120_000

writeFileSync(
  join(folder, 'looper.ts'),
  `import { defineStrategy } from '@jts/strategy-kit'
export default defineStrategy({
  name: 'looper',
  parameters: {},
  state: () => ({ bars: 0 }),
  onBar(_bar, { state }) {
    state.bars++
    while (state.bars >= 2) { try { state.bars++ } catch { continue } }
  },
})
`,
)
writeFileSync(
  join(folder, 'jts.yaml'),
  `mode: sim
port: ${port}
accounts:
  - { name: main, broker: binance }
strategies:
  - { instance: looper, strategy: ${join(folder, 'looper.ts')}, account: main, instrument: 'BINANCE:BTCUSDT', timeframe: 1s }
  - { instance: good, strategy: ema-cross, account: main, instrument: 'BINANCE:ETHUSDT', timeframe: 1s, parameters: { fast: 3, slow: 8, quantity: '0.2' } }
`,
)

type Status = {
  tradingState: string
  accountStates: { state: string; code: string; reason: string }[]
  strategies: { instance: string; state: string }[]
}

async function up(): Promise<{ process: JtsProcess; url: string }> {
  const config = join(folder, 'jts.yaml')
  const process = startJts(['up', '--config', config, '--data-dir', join(folder, 'data')])
  started.push(process)
  const line = await process.firstLine
  assert.equal(line, `Dashboard: http://127.0.0.1:${port}`)
  return { process, url: line.slice('Dashboard: '.length) }
}

async function statusOf(url: string): Promise<Status> {
  return ((await (await fetch(`${url}/api/v1/status`)).json()) as { data: Status }).data
}

async function until<T>(what: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + WITHIN_MS
  for (;;) {
    const found = await what()
    if (found !== undefined) return found
    assert.ok(Date.now() < deadline)
    await sleep(200)
  }
}

const stateOf = ({ strategies }: Status, name: string) => strategies.find(({ instance }) => instance === name)!.state

/** What the log says became of the strategy that loops. */
async function toldOfLooper(): Promise<string[]> {
  const { log, close } = await openLog(join(folder, 'data'))
  const told: string[] = []
  for await (const { type, payload } of log.read('orders.signals')) {
    if ((type === 'StrategyBarred' || type === 'StrategyStarted') && payload.strategy === 'looper') told.push(type)
  }
  await close()
  return told
}

const command = (...args: string[]) => runJts([...args, '--data-dir', join(folder, 'data'), '--json'])

test('a strategy that loops is barred, its account only reduces, a halt answers, and a person starts it again', async () => {
  const first = await up()
  const barred = await until(async () => {
    const status = await statusOf(first.url)
    // Who is held for two things is told of the first: beside its strategy's, that may be a heartbeat that came late.
    const isHeldForIt = status.accountStates.some(({ code }) => code === 'STRATEGY_STUCK')
    return stateOf(status, 'looper') === 'barred' && isHeldForIt ? status : undefined
  })
  assert.equal(stateOf(barred, 'good'), 'running')
  assert.deepEqual(
    barred.accountStates.map(({ state, code }) => [state, code]),
    [['reducing', 'STRATEGY_STUCK']],
  )
  assert.match(barred.accountStates[0]!.reason, /onBar of looper \(looper\)/)
  // The other instance still gets its bars: it signals, and the account's new risk is denied.
  await until(async () => {
    const response = await fetch(`${first.url}/api/v1/risk-decisions?limit=500`)
    const { data } = (await response.json()) as { data: { strategy: string; reasonCode?: string }[] }
    return data.find(({ strategy, reasonCode }) => strategy === 'good' && reasonCode === 'TRADING_REDUCING')
  })

  const halt = await command('halt')
  assert.equal(halt.code, 0, halt.stderr)
  assert.equal((JSON.parse(halt.stdout) as { tradingState: string }).tradingState, 'halted')
  assert.doesNotMatch(halt.stderr, /ending it/, 'by the process itself, which still answers')
  assert.equal((await statusOf(first.url)).tradingState, 'halted')

  first.process.child.kill('SIGTERM')
  await first.process.ended
  const second = await up()
  assert.equal(stateOf(await statusOf(second.url), 'looper'), 'barred', 'over a restart')
  const resumed = await command('resume', '--strategy', 'looper')
  assert.equal(resumed.code, 0, resumed.stderr)
  const { instance, state } = JSON.parse(resumed.stdout) as { instance: string; state: string }
  assert.equal(instance, 'looper')
  // It may have looped again by the time of the answer.
  assert.ok(state === 'running' || state === 'barred', state)
  const asked = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
  const stopped = await fetch(`${second.url}/api/v1/strategies/good/stop`, asked)
  assert.equal(stopped.status, 200)
  assert.equal(stateOf(await statusOf(second.url), 'good'), 'stopped')
  // Nothing has changed in its file: it loops again, and is barred again.
  await until(async () => (stateOf(await statusOf(second.url), 'looper') === 'barred' ? true : undefined))
  second.process.child.kill('SIGTERM')
  await second.process.ended
  assert.deepEqual(await toldOfLooper(), ['StrategyBarred', 'StrategyStarted', 'StrategyBarred'])
})
