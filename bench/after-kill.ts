/** How long each service of a distributed run is away after kill -9. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sleep, startJts } from '@jts/testkit'
import { readRunFile } from '../apps/jts/src/distributed/run-file.ts'
import { openRunLinks } from '../apps/jts/src/distributed/run-links.ts'
import { openRunLog } from '../apps/jts/src/distributed/run-log.ts'

/** `backMs`: its units are served again; `tradingMs`: a new order has gone all the way, the wait for a signal included. */
export type Comeback = Readonly<Record<string, { readonly backMs: number; readonly tradingMs: number }>>

/** Each kill meets a system at rest: the one before is over, and a spare process waits again. */
const SETTLE_MS = 10_000

/**
 * Each process of a running system killed once. Back: another process owns its units and waits for nothing. Trading: the first
 * order that was written for the wire after that has its fill booked.
 */
export async function benchAfterKill(
  dir: string,
  env: Readonly<Record<string, string>>,
  databaseUrl: string,
): Promise<Comeback> {
  const config = join(dir, '..', 'jts.yaml')
  // In a market ten times as fast, averages this short cross several times a second: waiting for a signal is little of it.
  const strategies = ['BTCUSDT', 'ETHUSDT'].map(
    (symbol) =>
      `  - { instance: ${symbol}, strategy: ema-cross, instrument: "BINANCE:${symbol}", timeframe: 1s, parameters: { fast: 1, slow: 2 } }\n`,
  )
  writeFileSync(config, `strategies:\n${strategies.join('')}`)
  const options = ['--config', config, '--speed', '10', '--data-dir', dir, '--no-dashboard', '--json']
  const up = startJts(['up', '--distributed', ...options], env)
  await up.firstLine
  const file = join(dir, 'run-distributed.json')
  const owners = await openRunLinks(readRunFile(file), databaseUrl)
  const { log, close } = await openRunLog(file)
  let submitted = new Set<string>()
  let filled: () => void = () => undefined
  log.tap(['orders.events'], (event) => {
    if (event.type === 'OrderSubmitting') submitted.add(event.payload.clientOrderId)
    if (event.type === 'OrderFilled' && submitted.has(event.payload.clientOrderId)) filled()
  })
  const processes = (): Record<string, { pid: number }> =>
    JSON.parse(readFileSync(join(dir, 'processes.json'), 'utf8')) as Record<string, { pid: number }>
  const found: Record<string, { backMs: number; tradingMs: number }> = {}
  for (const name of Object.keys(processes())) {
    await sleep(SETTLE_MS)
    const { pid } = processes()[name]!
    let owned: string[] = []
    for (; owned.length === 0; await sleep(10)) {
      owned = (await owners.states()).filter((state) => state.pid === pid).map((state) => state.unit)
    }
    const begun = performance.now()
    process.kill(pid, 'SIGKILL')
    for (;;) {
      const states = (await owners.states()).filter((state) => owned.includes(state.unit))
      if (states.length === owned.length && states.every((one) => one.pid !== pid && one.absent.length === 0)) break
      // Asking is work for those who are asked.
      await sleep(50)
    }
    const backMs = Math.round(performance.now() - begun)
    submitted = new Set()
    await new Promise<void>((resolve) => (filled = resolve))
    found[name] = { backMs, tradingMs: Math.round(performance.now() - begun) }
  }
  await close()
  await owners.close()
  up.child.kill('SIGINT')
  const { stderr } = await up.ended
  // How long each step took, for whoever wants less of it.
  for (const line of stderr.split('\n')) if (/"tookMs"|starting it again/.test(line)) process.stderr.write(`${line}\n`)
  return found
}
