/**
 * `npm run deploy:hybrid` as it is, from the images to the question of the Creon service, with that service on its simulated
 * COM outside the containers; then docker-compose.linux.yml trades, and its fall is one red light. Asked for by name alone.
 */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { environmentOf } from '@jts/servers/python'
import { lendLibraries } from '../build/clean-copy.ts'
import { BUILT_SERVICES } from '../build/services.ts'
import { Engine, ROOT } from './engine.ts'

const SERVICES = Object.keys(BUILT_SERVICES).filter((name) => name !== 'binance-venue')
const { python } = environmentOf('apps/brokers/creon-service/requirements-dev.txt')
const KEY = 'linux-box'
const SECRET = randomBytes(32).toString('hex')
const CONFIG = `mode: sim
accounts:
  - name: main
  - { name: krx, broker: creon }
strategies:
  - instance: ema-btc
    strategy: ema-cross
    account: main
    instrument: BINANCE:BTCUSDT
    timeframe: 1s
    parameters: { fast: 5, slow: 10, quantity: '0.01' }
`

const engine = new Engine('docker-compose.linux.yml')
const venue = `${engine.project}_venue`
const containers = join(engine.folder, '.jts/containers')
let creon: ChildProcess

before(async () => {
  assert.ok(existsSync(python), `expected ${python}, found none: ./jts test containers installs it`)
  lendLibraries(ROOT, engine.folder)
  await engine.adapt('docker-compose.linux.yml', 'scripts/prepare-containers.sh')
  writeFileSync(join(engine.folder, 'jts.yaml'), CONFIG)
})
after(async () => {
  creon?.kill('SIGKILL')
  await engine.run('podman', ['rm', '-f', venue], 1)
  await engine.end()
})

/** Where this machine is for containers of the run's network. */
async function addressOfThisMachine(): Promise<string> {
  const said = await engine.must('podman', ['network', 'inspect', engine.network])
  const [network] = JSON.parse(said) as [{ subnets: [{ gateway: string }] }]
  return network.subnets[0].gateway
}

/** The service of the Windows machine: its port. */
async function startCreon(port = 0): Promise<number> {
  const keys = join(engine.folder, '.jts/creon-keys.json')
  const key = { id: KEY, secret: SECRET, right: 'trade', accounts: ['sim.creon.krx'] }
  writeFileSync(keys, JSON.stringify({ keys: [key] }), { mode: 0o600 })
  creon = spawn(
    python,
    [join(ROOT, 'apps/brokers/creon-service/src/main.py'), '--com=simulated', '--sim-always-open', '--json']
      .concat('--host=0.0.0.0', `--port=${port}`, `--keys=${keys}`, '--account=sim.creon.krx', '--log-level=error')
      .concat(`--data-dir=${join(engine.folder, '.jts/creon')}`),
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const [line] = (await once(createInterface({ input: creon.stdout! }), 'line')) as [string]
  return Number(new URL((JSON.parse(line) as { url: string }).url).port)
}

let port = 0
test('deploy-hybrid builds the images, brings Linux up, and finds the Creon service well', async () => {
  await engine.must('bash', [join(ROOT, 'infra/docker/offline/make-images.sh')], 15)
  await engine.must('bash', ['scripts/prepare-containers.sh'])
  copyFileSync(join(containers, 'venue.env'), join(containers, 'accounts.env'))
  port = await startCreon()
  const host = await addressOfThisMachine()
  const { code, output } = await engine.run('bash', ['scripts/deploy-hybrid.sh'], 10, {
    CREON_API_HOST: host,
    CREON_API_PORT: String(port),
    CREON_API_KEY: KEY,
    CREON_API_SECRET: SECRET,
    JTS_ARGUMENTS: '--config /etc/jts/jts.yaml --venue binance=http://binance-venue:9001',
  })
  assert.equal(code, 0, output.slice(-4000))
  for (const said of [/1 of 5/, /5 of 5/, /^ok {4}reachable/m, /^ok {4}key and signature/m, /^ok {4}login/m, /done: /])
    assert.match(output, said)
  assert.ok(!output.includes(SECRET), 'it says a secret')
})

test('everything but Creon runs in containers, and trades', async () => {
  // In a deployment Binance is outside; here it is one more container.
  await engine.must('podman', [
    ...['run', '-d', '--name', venue, '--network', engine.network, '--network-alias', 'binance-venue'],
    ...['--env-file', join(containers, 'venue.env'), '--read-only', '--tmpfs', '/tmp'],
    ...['jts/binance-venue:latest', '--host', '0.0.0.0', '--port', '9001', '--keys-from-environment'],
  ])
  const lights = await engine.until('every light green', SERVICES, async () => {
    const found = await engine.lights()
    return found.length > 0 && found.every(({ state }) => state === 'up') && found
  })
  assert.ok(
    lights.some(({ name }) => name.includes('creon')),
    `expected a light of Creon, found ${lights.map(({ name }) => name).join(', ')}`,
  )
  for (const service of SERVICES)
    await engine.until(`${service} to be healthy`, [service], () => engine.isHealthy(service))
  await engine.until('a fill', SERVICES, async () => (await fills()) > 0)
})

async function fills(): Promise<number> {
  const data = (await engine.ask('/api/v1/fills')) as unknown[] | { fills: unknown[] }
  return (Array.isArray(data) ? data : data.fills).length
}

test('when Creon falls one light is red, Binance trades on, and the question says what is wrong', async () => {
  creon.kill('SIGKILL')
  await engine.until('one red light', SERVICES, async () => {
    const red = (await engine.lights()).filter(({ state }) => state !== 'up')
    return red.length === 1 && red[0]!.name.includes('creon')
  })
  const before = await fills()
  await engine.until('another fill', SERVICES, async () => (await fills()) > before)
  const { code, output } = await engine.run(join(ROOT, 'scripts/check-connectivity'), [`http://127.0.0.1:${port}`], 1, {
    CREON_API_KEY: KEY,
    CREON_API_SECRET: SECRET,
  })
  assert.equal(code, 1)
  assert.match(output, /MEND {2}reachable .*nothing listens/)
})

test('what the containers say holds no secret, and each stops by itself and well', async () => {
  const texts = ['services.env', 'postgres.env', 'venue.env'].map((file) =>
    readFileSync(join(containers, file), 'utf8'),
  )
  const secrets = [SECRET, ...texts.join('\n').match(/[0-9a-f]{48,}/g)!]
  for (const service of SERVICES) {
    const said = await engine.logs(service)
    for (const secret of secrets) assert.ok(!said.includes(secret), `${service} says a secret`)
  }
  for (const service of SERVICES.toSorted((a) => (a === 'api-gateway' ? 1 : 0)))
    await engine.must('podman', ['stop', '-t', '30', engine.container(service)])
  assert.deepEqual(await engine.exitCodes(SERVICES), Object.fromEntries(SERVICES.map((name) => [name, '0'])))
})
