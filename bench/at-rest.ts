/** Memory at rest of JTS and of its venue some seconds after the start. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep, startJts } from '@jts/testkit'

export type AtRestBench = {
  readonly jtsMb: number
  readonly venueMb: number
  readonly totalMb: number
  readonly startToDashboardMs: number
}

const SETTLE_MS = 15_000

/** Proportional set size where the kernel tells it: shared pages are not counted twice. */
function memoryMb(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)![1]) / 1024
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]!.split(' ')[1]) === pid
      } catch {
        return false
      }
    })
    .map(Number)
}

const AT_REST =
  'strategies: [{ strategy: ema-cross, instrument: BINANCE:BTCUSDT, timeframe: 1s }, { instance: eth, strategy: ema-cross, instrument: BINANCE:ETHUSDT, timeframe: 1s }]\n'

export async function benchAtRest(): Promise<AtRestBench> {
  const folder = mkdtempSync(join(tmpdir(), 'jts-bench-'))
  const begun = performance.now()
  // Binance alone: Creon's service is a process of another kind.
  const config = join(folder, 'jts.yaml')
  writeFileSync(config, AT_REST)
  const up = startJts(['up', '--port', '0', '--config', config, '--data-dir', join(folder, 'data')])
  try {
    await up.firstLine
    const startToDashboardMs = performance.now() - begun
    await sleep(SETTLE_MS)
    const pid = up.child.pid!
    const jtsMb = memoryMb(pid)
    const venueMb = childrenOf(pid).reduce((sum, child) => sum + memoryMb(child), 0)
    return { jtsMb, venueMb, totalMb: jtsMb + venueMb, startToDashboardMs }
  } finally {
    up.child.kill('SIGTERM')
    await up.ended
    rmSync(folder, { recursive: true, force: true })
  }
}
