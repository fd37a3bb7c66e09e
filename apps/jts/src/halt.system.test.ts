/** A halt works on a process that trades, on one that hangs, and on one that is dead; and it survives a restart. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runJts, startJts, type JtsProcess } from '@jts/testkit'
import { processOf } from './running.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-halt-'))
// What a killed JTS has started may still be writing.
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))

type Halt = { tradingState: string; open: number }

async function up(dataDir: string): Promise<{ process: JtsProcess; url: string }> {
  const started = startJts(['up', '--data-dir', dataDir, '--port', '0'])
  const line = await started.firstLine
  assert.match(line, /^Dashboard: http:\/\/127\.0\.0\.1:\d+$/)
  return { process: started, url: line.slice('Dashboard: '.length) }
}

type Status = { tradingState: string; strategies: { instance: string; tradingState?: string }[] }

async function statusOf(url: string): Promise<Status> {
  return ((await (await fetch(`${url}/api/v1/status`)).json()) as { data: Status }).data
}

const tradingState = async (url: string): Promise<string> => (await statusOf(url)).tradingState
/** Of those that do not trade freely by themselves. */
const stopped = async (url: string): Promise<string[]> =>
  (await statusOf(url)).strategies
    .filter((one) => one.tradingState !== undefined)
    .map((one) => `${one.instance} ${one.tradingState}`)

async function command(name: 'halt' | 'resume', dataDir: string, ...more: string[]): Promise<Halt> {
  const run = await runJts([name, '--data-dir', dataDir, '--json', ...more])
  assert.equal(run.code, 0, run.stderr)
  return JSON.parse(run.stdout) as Halt
}

test('a running process is halted and resumed, and stays halted over a restart in between', async () => {
  const dataDir = join(folder, 'running')
  const first = await up(dataDir)
  assert.equal((await command('halt', dataDir)).tradingState, 'halted')
  assert.equal(await tradingState(first.url), 'halted')
  assert.equal((await command('halt', dataDir, '--strategy', 'ema-btc', '--reduce')).tradingState, 'reducing')
  first.process.child.kill('SIGTERM')
  assert.equal((await first.process.ended).code, 0)
  // Whoever has its id or its port later is not halted in its place.
  assert.deepEqual([processOf(dataDir).pid, processOf(dataDir).url], [null, null])
  const second = await up(dataDir)
  assert.equal(await tradingState(second.url), 'halted')
  assert.equal((await command('resume', dataDir)).tradingState, 'active')
  const { stdout: told } = await runJts(['status', '--data-dir', dataDir])
  assert.match(told, /^Trading \(sim\): active\n(.*\n)*strategy ema-btc \(.*\): reducing \(/)
  assert.deepEqual(await stopped(second.url), ['ema-btc reducing'])
  assert.equal((await command('resume', dataDir, '--strategy', 'ema-btc')).tradingState, 'active')
  assert.deepEqual(await stopped(second.url), [])
  second.process.child.kill('SIGTERM')
  await second.process.ended
})

for (const [what, signal] of [
  ['hangs', 'SIGSTOP'],
  ['is dead', 'SIGKILL'],
] as const) {
  test(`a process that ${what} is halted all the same: it starts halted`, async () => {
    const dataDir = join(folder, signal)
    const first = await up(dataDir)
    first.process.child.kill(signal)
    if (signal === 'SIGKILL') await first.process.ended
    assert.equal((await command('halt', dataDir)).tradingState, 'halted')
    assert.equal((await first.process.ended).signal, 'SIGKILL')
    // With nobody there, one strategy can be halted, too; and that it is, everything being resumed does not lift.
    if (signal === 'SIGKILL') await command('halt', dataDir, '--strategy', 'ema-eth')
    const second = await up(dataDir)
    assert.equal(await tradingState(second.url), 'halted')
    assert.deepEqual(await stopped(second.url), signal === 'SIGKILL' ? ['ema-eth halted'] : [])
    second.process.child.kill('SIGTERM')
    await second.process.ended
  })
}
