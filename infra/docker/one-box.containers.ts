/** The images built and docker-compose.yml run: a replay, then everything live on the local venue. Asked for by name alone. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { runJts, writeSyntheticBars } from '@jts/testkit'
import { BUILT_SERVICES } from '../build/services.ts'
import { Engine, ROOT } from './engine.ts'

const SERVICES = Object.keys(BUILT_SERVICES)
const SERVERS = ['kafka', 'redis', 'postgres']
const JOINING = SERVICES.filter((name) => name !== 'api-gateway' && name !== 'binance-venue')
const HELD = ['api-gateway', ...JOINING]
const MEGABYTE = 1_000_000

const engine = new Engine('docker-compose.yml')
const recordings = join(engine.folder, '.jts/recordings')
const up = (more: Readonly<Record<string, string>> = {}): Promise<string> =>
  engine.compose(['up', '-d', '--no-build'], { JTS_RECORDINGS: recordings, ...more })

before(async () => {
  mkdirSync(recordings)
  await engine.adapt('docker-compose.yml', 'scripts/prepare-containers.sh')
})
after(() => engine.end())

test('the stand-ins for the official images are made', async () => {
  await engine.must('bash', [join(ROOT, 'infra/docker/offline/make-images.sh')], 15)
})

for (const service of SERVICES) {
  test(`the image of ${service} is built`, async (t) => {
    const startedMs = performance.now()
    const args = ['--build-arg', `SERVICE=${service}`, '--tag', `jts/${service}:latest`]
    await engine.must('docker', ['build', ...args, '--file', 'infra/docker/Dockerfile', '.'], 10)
    const bytes = async (image: string): Promise<number> =>
      Number(await engine.must('podman', ['image', 'inspect', '--format', '{{.Size}}', image]))
    const base = /^ARG NODE_IMAGE=(.*)$/m.exec(readFileSync(join(ROOT, 'infra/docker/Dockerfile'), 'utf8'))![1]!
    const own = (await bytes(`jts/${service}:latest`)) - (await bytes(base))
    const seconds = (performance.now() - startedMs) / 1000
    t.diagnostic(`${service}: ${seconds.toFixed(1)} s, ${(own / MEGABYTE).toFixed(1)} MB above its base`)
    assert.ok(own < 100 * MEGABYTE, `expected a service, found ${own} bytes of it`)
  })
}

test('a replay in containers gives what one process gives, and the backtest', async () => {
  await engine.must('bash', ['scripts/prepare-containers.sh'])
  const data = writeSyntheticBars(join(recordings, 'BTCUSDT-1m-7.csv'), { bars: 200, seed: 7, priceStart: 40_000 })
  const replay = '--strategy ema-cross --until-end --json'
  await up({
    JTS_VENUE_ARGUMENTS: '--replay /recordings/BTCUSDT-1m-7.csv',
    JTS_ARGUMENTS: `--replay /recordings/BTCUSDT-1m-7.csv ${replay} --venue binance=http://binance-venue:9001`,
  })
  const { output } = await engine.run('podman', ['wait', engine.container('api-gateway')], 5)
  const said = await engine.logs('api-gateway')
  assert.equal(output.trim(), '0', said.slice(-4000))
  const apart = resultOf(said)
  const one = await runJts(['up', '--replay', data, ...replay.split(' ')])
  assert.equal(one.code, 0, one.stderr)
  assert.deepEqual(apart, resultOf(one.stdout))
  const past = await runJts(['backtest', join(ROOT, 'strategies/ema-cross.ts'), '--data', data, '--json'])
  assert.equal(past.code, 0, past.stderr)
  assert.equal(apart['fillsSha256'], (JSON.parse(past.stdout) as Record<string, unknown>)['fillsSha256'])
  assert.equal(apart['reconciled'], true)
  assert.ok(Number(apart['fills']) > 5)
  await assertNoSecret()
  await engine.compose(['down', '-v'])
})

/** The summary's line, without how long it took. */
function resultOf(output: string): Record<string, unknown> {
  const line = output.split('\n').find((text) => text.startsWith('{') && text.includes('"fillsSha256"'))
  assert.ok(line, output.slice(-4000))
  const { durationMs: _, latency: __, ...rest } = JSON.parse(line) as Record<string, unknown>
  return rest
}

/** What every container has said holds no password and no key of .jts/containers. */
async function assertNoSecret(): Promise<void> {
  const files = ['services.env', 'postgres.env', 'venue.env', 'redis.conf']
  const texts = files.map((file) => readFileSync(join(engine.folder, '.jts/containers', file), 'utf8'))
  const secrets = new Set(texts.join('\n').match(/[0-9a-f]{48,}/g))
  assert.ok(secrets.size >= 4)
  for (const service of [...SERVERS, ...SERVICES]) {
    const said = await engine.logs(service)
    for (const secret of secrets) assert.ok(!said.includes(secret), `${service} says a secret`)
  }
}

test('on the local venue everything comes up, is healthy, and the dashboard answers here', async () => {
  await up()
  const lights = await engine.until('every light green', HELD, async () => {
    const found = await engine.lights()
    return found.length > 0 && found.every(({ state }) => state === 'up') && found
  })
  assert.deepEqual(
    JOINING.filter((name) => !lights.some((light) => light.name === name)),
    [],
  )
  assert.match(String(await engine.ask('/')), /<div id="root">/)
  for (const service of [...SERVERS, ...SERVICES]) {
    await engine.until(`${service} to be healthy`, [service], () => engine.isHealthy(service))
  }
})

test('orders are filled in containers', async () => {
  await engine.until('a fill', HELD, async () => {
    const data = (await engine.ask('/api/v1/fills')) as unknown[] | { fills: unknown[] }
    return (Array.isArray(data) ? data : data.fills).length > 0
  })
})

test('a container is shut in: nobody root, nothing of it can be written, no capability', async () => {
  for (const service of SERVICES) {
    const { output } = await engine.inside(service, 'node', '-e', SHUT_IN)
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

test('the play account’s keys are in the environment of those alone who hold the run or speak to the exchange', async () => {
  const having: string[] = []
  for (const service of SERVICES) {
    const { stdout } = await engine.inside(service, 'node', '-p', 'Object.keys(process.env).join()')
    assert.match(stdout, /\bPATH\b/, service)
    if (stdout.includes('JTS_BINANCE_API_SECRET')) having.push(service)
  }
  assert.deepEqual(having.sort(), ['api-gateway', 'binance-service', 'binance-venue'])
})

test('a service that is killed is well again when it is started, and the operator saw it', async () => {
  await engine.must('podman', ['kill', engine.container('risk-management')])
  const becomes = (wanted: string): Promise<boolean> =>
    engine.until(`risk-management ${wanted}`, HELD, async () =>
      (await engine.lights()).some(({ name, state }) => name === 'risk-management' && state === wanted),
    )
  await becomes('down')
  assert.ok(!(await engine.isHealthy('risk-management')))
  await engine.must('podman', ['start', engine.container('risk-management')])
  await becomes('up')
})

test('what the containers say holds no secret', assertNoSecret)

test('each service stops when it is asked, by itself and well', async () => {
  // The gateway last: it tells the others what the run is.
  for (const service of [...JOINING, 'api-gateway', 'binance-venue'])
    await engine.must('podman', ['stop', '-t', '30', engine.container(service)])
  assert.deepEqual(await engine.exitCodes(SERVICES), Object.fromEntries(SERVICES.map((name) => [name, '0'])))
})
