/** The floor of tick to order: WebSocket frame in → one synced append → first HTTP byte out on a warm connection. */
import { once } from 'node:events'
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { createServer, request, Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import WebSocket, { WebSocketServer } from 'ws'

export type FloorBench = { readonly p50: number; readonly p99: number; readonly rounds: number }

export async function benchFloor(rounds = 500): Promise<FloorBench> {
  const folder = mkdtempSync(join(tmpdir(), 'jts-bench-'))
  const file = openSync(join(folder, 'log'), 'a')
  const server = createServer((incoming, answer) => {
    incoming.resume()
    incoming.on('end', () => answer.end('{}'))
  })
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const connected = once(sockets, 'connection') as Promise<[WebSocket]>
  const client = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
  await once(client, 'open')
  const [venue] = await connected
  const samples: number[] = []
  for (let i = 0; i < rounds; i++) {
    await new Promise<void>((done) => {
      client.once('message', (data) => {
        const begun = performance.now()
        writeSync(file, data as Buffer)
        fdatasyncSync(file)
        const call = request({ port, host: '127.0.0.1', method: 'POST', path: '/order', agent }, (answer) => {
          answer.resume()
          answer.on('end', done)
        })
        call.end('symbol=BTCUSDT')
        samples.push((performance.now() - begun) * 1000)
      })
      venue.send(JSON.stringify({ e: 'kline', n: i, padding: 'x'.repeat(200) }))
    })
  }
  client.terminate()
  agent.destroy()
  sockets.close()
  server.close()
  closeSync(file)
  rmSync(folder, { recursive: true })
  samples.sort((a, b) => a - b)
  const at = (q: number): number => Math.round(samples[Math.floor(q * samples.length)]!)
  return { p50: at(0.5), p99: at(0.99), rounds }
}
