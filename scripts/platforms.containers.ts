/**
 * The npm scripts of both platforms in a clean copy of the repository, which installs its libraries as a clone does: what each
 * builds, and `serve:linux` until it trades.
 * Asked for with the containers, by name alone.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { copyClean } from '../infra/build/clean-copy.ts'
import { BUILT_SERVICES } from '../infra/build/services.ts'

const ROOT = resolve(import.meta.dirname, '..')
const MINUTE = 60_000
const folder = mkdtempSync(join(tmpdir(), 'jts-platforms-'))
after(() => rmSync(folder, { recursive: true, force: true }))
copyClean(ROOT, folder)
// Where its database lies: PostgreSQL runs as somebody else than root.
chmodSync(folder, 0o755)
mkdirSync(join(folder, '.jts/bin'), { recursive: true })
symlinkSync(process.execPath, join(folder, '.jts/bin/node'))

const env = {
  ...process.env,
  PATH: `${join(folder, '.jts/bin')}:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
  NX_DAEMON: 'false',
}
const built = (): string[] => readdirSync(join(folder, 'dist/apps')).sort()

function npmRun(script: string): void {
  const { status, stdout, stderr } = spawnSync('npm', ['run', script], {
    cwd: folder,
    env,
    encoding: 'utf8',
    timeout: 5 * MINUTE,
  })
  assert.equal(status, 0, `${script}:\n${(stdout + stderr).slice(-4000)}`)
}

test('build:windows builds creon-service and nothing else', () => {
  npmRun('build:windows')
  assert.deepEqual(built(), ['creon-service'])
  rmSync(join(folder, 'dist'), { recursive: true })
})

test('build:linux builds every service but creon-service', () => {
  npmRun('build:linux')
  assert.deepEqual(built(), Object.keys(BUILT_SERVICES).sort())
})

test('serve:linux leaves creon-service out, comes up, and trades', async () => {
  const child = spawn('npm', ['run', 'serve:linux'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = once(child, 'exit')
  const group = (signal: NodeJS.Signals | 0): boolean => {
    try {
      return process.kill(-child.pid!, signal)
    } catch {
      return false
    }
  }
  try {
    const fills = await firstFills(() => said)
    assert.ok(fills > 0)
    assert.ok(said.includes('nx run api-gateway:serve'), said.slice(0, 4000))
    assert.ok(!said.includes('nx run creon-service:serve'), said.slice(0, 4000))
    group('SIGTERM')
    await ended
    // Nx leaves before those that it started.
    for (const end = Date.now() + MINUTE; group(0) && Date.now() < end;)
      await new Promise((done) => setTimeout(done, 200))
    assert.ok(!group(0), 'expected every process to end within a minute')
  } finally {
    group('SIGKILL')
  }
})

async function firstFills(said: () => string): Promise<number> {
  for (const end = Date.now() + 4 * MINUTE; Date.now() < end;) {
    const address = /Dashboard: (http:\/\/127\.0\.0\.1:\d+)/.exec(said())?.[1]
    const response = address && (await fetch(`${address}/api/v1/fills`).catch(() => undefined))
    const { data = [] } = response && response.ok ? ((await response.json()) as { data?: unknown[] }) : {}
    if (data.length > 0) return data.length
    await new Promise((done) => setTimeout(done, 500))
  }
  throw new Error(`expected a fill within four minutes, found none:\n${said().slice(-4000)}`)
}
