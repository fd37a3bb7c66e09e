/**
 * The images built and docker-compose.yml run, without a Docker engine and without an image registry: buildah builds on
 * stand-ins for the official images, podman runs what podman-compose reads. Needs root. Asked for by name alone.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { runJts, writeSyntheticBars } from '@jts/testkit'
import { BUILT_SERVICES } from '../build/services.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const SERVICES = Object.keys(BUILT_SERVICES)
const JOINING = SERVICES.filter((name) => name !== 'api-gateway' && name !== 'binance-venue')
const MINUTE = 60_000

const folder = mkdtempSync(join(tmpdir(), 'jts-containers-'))
const recordings = join(folder, 'recordings')
const project = `jts-test-${process.pid}`
/** What this machine lets a container have, where the engine's own default is more. */
const limit = (name: 'n' | 'u'): string =>
  spawnSync('bash', ['-c', `ulimit -H${name}`], { encoding: 'utf8' })
    .stdout.trim()
    .replace('unlimited', '65536')
const env: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
  CONTAINERS_CONF: join(folder, 'containers.conf'),
  JTS_RECORDINGS: recordings,
  JTS_RESTART: 'no',
}

type Output = { readonly code: number | null; readonly output: string; readonly stdout: string }

async function run(
  command: string,
  args: readonly string[],
  minutes: number,
  more: NodeJS.ProcessEnv = {},
): Promise<Output> {
  const child = spawn(command, args, { cwd: folder, env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), minutes * MINUTE)
  let stdout = ''
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => ((stdout += chunk.toString()), (output += chunk.toString())))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const code = await new Promise<number | null>((done) => child.once('close', done))
  clearTimeout(timer)
  return { code, output, stdout }
}

async function must(
  command: string,
  args: readonly string[],
  minutes = 2,
  more: NodeJS.ProcessEnv = {},
): Promise<string> {
  const { code, output, stdout } = await run(command, args, minutes, more)
  assert.equal(code, 0, `${command} ${args.join(' ')}:\n${output.slice(-4000)}`)
  return stdout
}

const compose = (args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<string> =>
  must('podman-compose', ['-p', project, '-f', 'docker-compose.yml', ...args], 5, more)
const container = (service: string): string => `${project}_${service}_1`
const inside = (service: string, ...command: string[]): Promise<Output> =>
  run('podman', ['exec', container(service), ...command], 1)
const logs = async (service: string): Promise<string> => (await run('podman', ['logs', container(service)], 1)).output

before(async () => {
  for (const name of ['bin', 'scripts', 'recordings']) mkdirSync(join(folder, name))
  // The scripts say docker; podman understands what they say.
  writeFileSync(join(folder, 'bin/docker'), '#!/bin/sh\nexec podman "$@"\n')
  chmodSync(join(folder, 'bin/docker'), 0o755)
  const ulimits = `default_ulimits = ["nofile=${limit('n')}:${limit('n')}", "nproc=4096:4096"]`
  writeFileSync(
    join(folder, 'containers.conf'),
    `[containers]\n${ulimits}\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n`,
  )
  cpSync(join(ROOT, 'docker-compose.yml'), join(folder, 'docker-compose.yml'))
  copyFileSync(join(ROOT, 'scripts/prepare-containers.sh'), join(folder, 'scripts/prepare-containers.sh'))
})
after(async () => {
  await run('podman-compose', ['-p', project, '-f', 'docker-compose.yml', 'down', '-v'], 3)
  rmSync(folder, { recursive: true, force: true })
})

test('the stand-ins for the official images are made', async () => {
  await must('bash', [join(ROOT, 'infra/docker/offline/make-images.sh')], 15)
})

for (const service of SERVICES) {
  test(`the image of ${service} is built`, async () => {
    const args = [
      '--build-arg',
      `SERVICE=${service}`,
      '--tag',
      `jts/${service}:latest`,
      '--file',
      'infra/docker/Dockerfile',
      '.',
    ]
    const { code, output } = await run(
      'bash',
      ['-c', 'cd "$0" && exec buildah bud --isolation=chroot --layers "$@"', ROOT, ...args],
      10,
    )
    assert.equal(code, 0, output.slice(-4000))
  })
}

test('a replay in containers gives what one process gives', async () => {
  await must('bash', ['scripts/prepare-containers.sh'])
  const data = writeSyntheticBars(join(recordings, 'BTCUSDT-1m-7.csv'), { bars: 200, seed: 7, priceStart: 40_000 })
  const replay = '--strategy ema-cross --until-end --json'
  await compose(['up', '-d', '--no-build'], {
    JTS_VENUE_ARGUMENTS: '--replay /recordings/BTCUSDT-1m-7.csv',
    JTS_ARGUMENTS: `--replay /recordings/BTCUSDT-1m-7.csv ${replay} --venue binance=http://binance-venue:9001`,
  })
  const { code, output } = await run('podman', ['wait', container('api-gateway')], 5)
  assert.equal(code, 0, output)
  const said = await logs('api-gateway')
  assert.equal(output.trim(), '0', said.slice(-4000))
  const apart = resultOf(said)
  const one = await runJts(['up', '--replay', data, ...replay.split(' ')])
  assert.equal(one.code, 0, one.stderr)
  assert.deepEqual(apart, resultOf(one.stdout))
  assert.equal(apart['reconciled'], true)
  assert.ok(Number(apart['fills']) > 5)
  await compose(['down', '-v'])
})

/** The summary's line, without how long it took. */
function resultOf(output: string): Record<string, unknown> {
  const line = output.split('\n').find((text) => text.startsWith('{') && text.includes('"fillsSha256"'))
  assert.ok(line, output.slice(-4000))
  const { durationMs: _, latency: __, ...rest } = JSON.parse(line) as Record<string, unknown>
  return rest
}

test('on the local venue everything comes up, each container says that it is well, and the dashboard answers here', async () => {
  await compose(['up', '-d', '--no-build'])
  const status = await until(async () => {
    const response = await fetch('http://127.0.0.1:8700/api/v1/status').catch(() => undefined)
    const body = (await response?.json()) as { data?: { services: { name: string; state: string }[] } } | undefined
    const services = body?.data?.services ?? []
    return services.length > 0 && services.every(({ state }) => state === 'up') ? services : undefined
  })
  assert.deepEqual(
    JOINING.filter((name) => !status.some((light) => light.name === name)),
    [],
  )
  const page = await (await fetch('http://127.0.0.1:8700/')).text()
  assert.match(page, /<div id="root">/)
  for (const service of SERVICES) {
    const { code, output } = await inside(service, 'node', '/app/healthy.js')
    assert.equal(code, 0, `${service}: ${output}`)
  }
})

test('orders are filled in containers', async () => {
  const fills = await until(async () => {
    const response = await fetch('http://127.0.0.1:8700/api/v1/fills').catch(() => undefined)
    const body = (await response?.json()) as { data?: unknown[] | { fills?: unknown[] } } | undefined
    const list = Array.isArray(body?.data) ? body.data : (body?.data?.fills ?? [])
    return list.length > 0 ? list : undefined
  })
  assert.ok(fills.length > 0)
})

test('a container is shut in: nobody root, nothing of it can be written, no capability', async () => {
  for (const service of SERVICES) {
    const { output } = await inside(service, 'node', '-e', SHUT_IN)
    const facts = JSON.parse(output) as { uid: number; written: string[]; capabilities: string }
    assert.deepEqual(facts, { uid: 1000, written: ['/tmp'], capabilities: '0000000000000000' }, service)
  }
})

const SHUT_IN = `
  const { readFileSync, writeFileSync } = require('node:fs')
  const written = ['/app', '/', '/usr/local/bin', '/etc', '/tmp'].filter((folder) => {
    try { writeFileSync(folder + '/probe', ''); return true } catch { return false }
  })
  const capabilities = /CapEff:\\s*(\\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]
  console.log(JSON.stringify({ uid: process.getuid(), written, capabilities }))`

test('a service that is killed is well again when it is started, and the operator saw it', async () => {
  await must('podman', ['kill', container('risk-management')])
  const light = (state: string) =>
    until(async () => {
      const response = await fetch('http://127.0.0.1:8700/api/v1/status')
      const { data } = (await response.json()) as { data: { services: { name: string; state: string }[] } }
      return data.services.some((one) => one.name === 'risk-management' && one.state === state) ? true : undefined
    })
  await light('down')
  await must('podman', ['start', container('risk-management')])
  await light('up')
})

async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + 3 * MINUTE; Date.now() < end;) {
    const answer = await ask().catch(() => undefined)
    if (answer !== undefined) return answer
    await new Promise((done) => setTimeout(done, 1000))
  }
  const tails = await Promise.all(
    ['api-gateway', ...JOINING].map(async (name) => `${name}:\n${(await logs(name)).slice(-800)}`),
  )
  throw new Error(`expected it within three minutes; the last words were\n${tails.join('\n')}`)
}
