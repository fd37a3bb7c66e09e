/** A built folder runs with Node.js alone, wherever it is put. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { freePort } from '../servers/ports.ts'
import { buildService } from './build.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'jts-build-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** The first line that it prints, as JSON; it is stopped then. */
async function firstLine(service: string, ...args: string[]): Promise<Record<string, unknown>> {
  const out = join(folder, service)
  buildService(ROOT, service, out)
  const data = mkdtempSync(join(folder, 'data-'))
  const child = spawn(process.execPath, [join(out, 'start.js'), ...args, '--data-dir', data, '--json'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((done) => child.once('exit', done))
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      return JSON.parse(line) as Record<string, unknown>
    }
    throw new Error(`expected a line of JSON from ${service}, found its end`)
  } finally {
    child.kill('SIGTERM')
    await ended
  }
}

test('risk-management runs from its folder', async () => {
  const port = String(await freePort())
  const ready = await firstLine('risk-management', '--grpc-port', port)
  assert.equal(ready['service'], 'risk-management')
  assert.equal(ready['address'], `127.0.0.1:${port}`)
  // Nobody listens any more.
  const args = ['healthy', '--grpc-port', port, '--timeout-ms', '500']
  const { status, stderr } = spawnSync(process.execPath, [join(folder, 'risk-management/start.js'), ...args], {
    encoding: 'utf8',
  })
  assert.equal(status, 1)
  assert.match(stderr, /^not healthy: /)
})

test('the local venue runs from its folder', async () => {
  const ready = await firstLine('binance-venue')
  assert.match(String(ready['restUrl']), /^http:\/\/127\.0\.0\.1:\d+$/)
})

test('a service that is none is refused, with those that are', () => {
  const main = join(import.meta.dirname, 'main.ts')
  const { status, stderr } = spawnSync(process.execPath, [main, 'web-app', '--out', join(folder, 'x')], {
    encoding: 'utf8',
  })
  assert.equal(status, 1)
  assert.match(stderr, /expected one of risk-management, .*; found "web-app"/)
  assert.ok(!existsSync(join(folder, 'x')))
})
