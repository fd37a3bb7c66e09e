/** Lock-step replay through the whole pipeline, beside a bare loopback WebSocket echo in the same run. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runJts, writeSyntheticBars } from '@jts/testkit'
import WebSocket, { WebSocketServer } from 'ws'

export type LockStepBench = {
  readonly file: string
  readonly bars: number
  readonly barsPerSecond: number
  readonly echoesPerSecond: number
  /** Bars per echo: a bar costs at least one round trip to the venue. */
  readonly ratioToEcho: number
  readonly latencyUs: unknown
}

/** @param recorded a recorded 1-minute file; without it a synthetic one of the same kind. */
export async function benchLockStep(recorded: string | undefined, bars = 20_000): Promise<LockStepBench> {
  const folder = mkdtempSync(join(tmpdir(), 'jts-bench-'))
  try {
    const file = recorded ?? writeSyntheticBars(join(folder, 'BTCUSDT-1m-synthetic.csv'), { bars, seed: 5 })
    const echoesPerSecond = await echo(20_000)
    const run = await runJts(['up', '--replay', file, '--strategy', 'ema-cross', '--until-end', '--json'])
    if (run.code !== 0) throw new Error(`the replay failed: ${run.stderr}`)
    const summary = JSON.parse(run.stdout) as { bars: number; durationMs: number; latency: unknown }
    const barsPerSecond = (summary.bars / summary.durationMs) * 1000
    return {
      file: recorded ?? 'synthetic',
      bars: summary.bars,
      barsPerSecond,
      echoesPerSecond,
      ratioToEcho: barsPerSecond / echoesPerSecond,
      latencyUs: summary.latency,
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function echo(rounds: number): Promise<number> {
  const server = createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data as Buffer)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
  await once(socket, 'open')
  const begun = performance.now()
  await new Promise<void>((done) => {
    let left = rounds
    socket.on('message', () => {
      if (--left === 0) done()
      else socket.send('{"type":"release","id":1}')
    })
    socket.send('{"type":"release","id":1}')
  })
  const perSecond = rounds / ((performance.now() - begun) / 1000)
  socket.terminate()
  sockets.close()
  server.close()
  return perSecond
}
