/**
 * Who falls silent is missed within seconds: nothing new is risked, the dashboard says why, and all goes on when it is back. In the
 * same two systems: money that moves without a trade, and a strategy that has seen the past when it starts.
 */
import assert from 'node:assert/strict'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { provideKafka, providePostgres } from '@jts/servers'
import { runJts, sleep, startJts, type JtsProcess } from '@jts/testkit'
import { EXIT } from './cli.ts'
import { PROCESSES_FILE } from './distributed/supervisor.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-silence-'))
const config = join(folder, 'jts.yaml')
/** More bars than the source gives in one page; it wants to buy on each, and on none that is live. */
const warm = join(folder, 'warm.ts')
writeFileSync(
  warm,
  `import { defineStrategy } from '@jts/strategy-kit'
export default defineStrategy({
  ...{ name: 'warm', parameters: {}, bars: { warmUp: 1200 }, state: () => ({}) },
  onBar(_bar, { isWarmingUp, buy }) {
    if (isWarmingUp) buy('1')
  },
})
`,
)
writeFileSync(
  config,
  `strategies:
  - { strategy: ema-cross, instrument: BINANCE:BTCUSDT, timeframe: 1s, parameters: { fast: 3, slow: 8 } }
  - { strategy: ${warm}, instrument: BINANCE:BTCUSDT, timeframe: 1s }
`,
)
const started: JtsProcess[] = []
after(() => {
  for (const { child } of started) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

type AccountState = { account: string; state: string; code: string; reason: string }

/** Generous: it says that it happens, not how fast this machine is. */
const WITHIN_MS = 120_000

async function up(
  dir: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<{ process: JtsProcess; url: string }> {
  const process = startJts(['up', '--config', config, '--data-dir', dir, '--port', '0', ...args], env)
  started.push(process)
  const line = await process.firstLine
  assert.match(line, /^Dashboard: http:\/\/127\.0\.0\.1:\d+$/)
  return { process, url: line.slice('Dashboard: '.length) }
}

async function untilStates(
  url: string,
  isWanted: (states: readonly AccountState[]) => boolean,
): Promise<AccountState[]> {
  const deadline = Date.now() + WITHIN_MS
  for (;;) {
    const response = await fetch(`${url}/api/v1/status`).catch(() => undefined)
    const body = response?.ok ? ((await response.json()) as { data: { accountStates: AccountState[] } }) : undefined
    if (body !== undefined && isWanted(body.data.accountStates)) return body.data.accountStates
    assert.ok(Date.now() < deadline, `found ${JSON.stringify(body?.data.accountStates)}`)
    await sleep(200)
  }
}

const allActive = (states: readonly AccountState[]): boolean => states.length === 0
const missing = (who: string) => (states: readonly AccountState[]) => states.some(({ reason }) => reason.includes(who))

/** All that JTS said to the operator, in this folder's log; nothing while the log cannot be read. */
async function health(dir: string, env: Record<string, string> = {}): Promise<string[]> {
  const { stdout } = await runJts(['events', 'tail', 'system.health', '--limit', '0', '--data-dir', dir, '--json'], env)
  type Said = { type: string; payload: { service: string; state: string; reason: string } }
  const events = stdout
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Said)
  return events
    .filter(({ type }) => type === 'ServiceHealth')
    .map(({ payload }) => `${payload.service} ${payload.state}: ${payload.reason}`)
}

/** Bars of before its start, from the collector's process where that is another; and no signal of them. */
async function hasSeenThePast(dir: string, url: string, env: Record<string, string> = {}): Promise<void> {
  type Status = { data?: { strategies: { instance: string; state: string }[] } }
  const deadline = Date.now() + WITHIN_MS
  for (let state: string | undefined; state !== 'running'; await sleep(200)) {
    const { data } = (await (await fetch(`${url}/api/v1/status`)).json()) as Status
    state = data?.strategies.find(({ instance }) => instance === 'warm')?.state
    assert.ok(Date.now() < deadline, `found ${state}`)
  }
  // It is told on its way through the log, and a late collector may have been told of before.
  for (let told: string | undefined; told === undefined; await sleep(200)) {
    const said = await health(dir, env)
    told = said.find((one) => one.startsWith('strategy warm up: '))
    if (told !== undefined) assert.equal(told, 'strategy warm up: it has warmed up with 1200 bars')
    assert.ok(Date.now() < deadline, `found ${JSON.stringify(said)}`)
  }
  const { stdout, code } = await runJts(
    ['events', 'tail', 'strategy.signals', '--limit', '0', '--data-dir', dir, '--json'],
    env,
  )
  assert.equal(code, 0)
  assert.ok(!stdout.includes('"warm"'), 'nothing that it wanted on them is a signal')
}

type Account = { adjusted: Record<string, string>; reconciled: string; differences: { currency: string }[] }

async function accountOf(url: string): Promise<Account | undefined> {
  const body = (await (await fetch(`${url}/api/v1/portfolio`)).json()) as { data?: { accounts: Account[] } }
  return body.data?.accounts[0]
}

async function untilAccount(url: string, isWanted: (account: Account) => boolean): Promise<void> {
  const deadline = Date.now() + WITHIN_MS
  for (;;) {
    const account = await accountOf(url)
    if (account !== undefined && isWanted(account)) return
    assert.ok(Date.now() < deadline, `found ${JSON.stringify(account)}`)
    await sleep(200)
  }
}

const UNKNOWN = /it is not known whether it is booked/
const isToBeAskedAgain = (stderr: string): boolean => stderr.endsWith('; ask again\n') || UNKNOWN.test(stderr)

/** A deposit at the local venue is booked by its notice; a withdrawal that nobody told of by a person, once however often it is said. */
async function moneyMoves(
  { process: jts, url }: { process: JtsProcess; url: string },
  dir: string,
  env: Record<string, string> = {},
): Promise<void> {
  const [file] = globSync('**/keys.json', { cwd: dir })
  const { controlToken, port } = JSON.parse(readFileSync(join(dir, file!), 'utf8')) as Record<string, string>
  const move = async (amount: string, notice: boolean): Promise<void> => {
    const response = await fetch(`http://127.0.0.1:${port}/jts/balances`, {
      method: 'POST',
      headers: { authorization: `Bearer ${controlToken}` },
      body: JSON.stringify({ asset: 'USDT', amount, notice }),
    })
    assert.equal(response.status, 200, await response.text())
  }
  await move('1000', true)
  await untilAccount(url, ({ adjusted }) => adjusted['USDT'] === '1000')
  await move('-250.5', false)
  const adjust = async (amount: string) => {
    const said = ['--reason', 'withdrawal', '--words', 'to the bank', '--data-dir', dir, '--json']
    const ask = () => runJts(['adjust', 'sim.binance.main', 'USDT', amount, ...said])
    let answer = await ask()
    // A machine that stood still for some seconds has cost an order stream, or an answer, and it is said so.
    let wasUnknown = false
    for (const end = Date.now() + WITHIN_MS; isToBeAskedAgain(answer.stderr) && Date.now() < end;) {
      wasUnknown ||= UNKNOWN.test(answer.stderr)
      await sleep(500)
      answer = await ask()
    }
    const { code, stdout, stderr } = answer
    // What the gateway only says that its log tells.
    const errors = code === EXIT.ok || stderr.includes('expected a difference of') ? '' : jts.errors()
    const outcome = stdout === '' ? '' : (JSON.parse(stdout) as { outcome: string }).outcome
    return { code, stderr: `${stderr}${errors}`, outcome: wasUnknown && outcome === 'already' ? 'booked' : outcome }
  }
  const more = await adjust('-250.6')
  assert.match(more.stderr, /expected a difference of -250\.6, found one of -250\.5 .* nothing is booked/)
  assert.equal(more.code, 2)
  assert.deepEqual(await adjust('-250.5'), { code: 0, stderr: '', outcome: 'booked' })
  assert.equal((await adjust('-250.5')).outcome, 'already')
  await untilAccount(
    url,
    ({ adjusted, reconciled, differences }) =>
      adjusted['USDT'] === '749.5' && reconciled === 'equal' && differences.length === 0,
  )
  const rebuilt = await runJts(['rebuild', '--data-dir', dir, '--json'], env)
  assert.equal(rebuilt.code, 0, rebuilt.stdout + rebuilt.stderr)
}

test('the market: its venue stops without a word, and comes back', async () => {
  const dir = join(folder, 'market')
  const running = await up(dir)
  const { process: jts, url } = running
  await untilStates(url, allActive)
  await hasSeenThePast(dir, url)
  await moneyMoves(running, dir)
  const { pid } = jts.child
  const venue = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])
  process.kill(venue, 'SIGSTOP')
  const [state] = await untilStates(url, missing('market data of BINANCE'))
  assert.deepEqual([state!.state, state!.code], ['reducing', 'HEARTBEAT_MISSING'])
  process.kill(venue, 'SIGCONT')
  await untilStates(url, allActive)
  jts.child.kill('SIGTERM')
  await jts.ended
  const said = (await health(dir)).filter((one) => one.startsWith('market data'))
  assert.ok(
    said.some((one) => /^market data of BINANCE\/\d+ down: /.test(one)) && said.some((one) => / up: /.test(one)),
  )
})

test('a service among processes: risk management stands still, and goes on', async () => {
  const dir = join(folder, 'distributed')
  const [kafka, postgres] = await Promise.all([provideKafka(), providePostgres()])
  after(() => Promise.all([kafka.stop(), postgres.stop()]))
  const env = { KAFKA_BROKERS: kafka.brokers.join(','), DATABASE_URL: postgres.url }
  const running = await up(dir, ['--distributed'], env)
  const { process: jts, url } = running
  await untilStates(url, allActive)
  await hasSeenThePast(dir, url, env)
  await moneyMoves(running, dir, env)
  const processes = JSON.parse(readFileSync(join(dir, PROCESSES_FILE), 'utf8')) as Record<string, { pid: number }>
  const { pid } = processes['risk-management']!
  process.kill(pid, 'SIGSTOP')
  const [state] = await untilStates(url, missing('risk-management'))
  assert.deepEqual([state!.state, state!.code], ['reducing', 'HEARTBEAT_MISSING'])
  process.kill(pid, 'SIGCONT')
  await untilStates(url, allActive)
  jts.child.kill('SIGTERM')
  await jts.ended
})
