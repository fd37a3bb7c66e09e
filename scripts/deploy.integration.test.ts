/**
 * The deployment scripts with a stubbed `docker` and `npm` on PATH: every command that they would run, in order, and every
 * failure that they must report. What .bat files do is checked by their text alone: no Windows here.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'

const ROOT = resolve(import.meta.dirname, '..')
const made: string[] = []
after(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })))

/** Says how it was called, and fails where FAIL names the beginning of that. */
const STUB = `#!/bin/sh
call="\${0##*/} $*"
echo "$call" >>"$CALLS"
case "$call" in
  "docker version --format"*) echo "\${ENGINE:-linux}" ;;
esac
[ -z "$FAIL" ] && exit 0
case "$call" in
  "$FAIL"*) echo "stub: $call fails" >&2; exit 1 ;;
esac
`

type Box = {
  readonly root: string
  run(script: string, env?: Record<string, string>): { code: number | null; output: string; calls: string[] }
}

/** The scripts in a folder of their own, so that nothing is made in the repository. */
function box(): Box {
  const root = mkdtempSync(join(tmpdir(), 'jts-deploy-'))
  made.push(root)
  mkdirSync(join(root, 'bin'))
  mkdirSync(join(root, 'scripts'))
  for (const name of ['deploy-hybrid.sh', 'prepare-containers.sh'])
    cpSync(join(ROOT, 'scripts', name), join(root, 'scripts', name))
  writeFileSync(join(root, 'jts.yaml'), 'mode: sim\n')
  for (const place of ['bin/docker', 'bin/npm', 'scripts/check-connectivity']) {
    writeFileSync(join(root, place), STUB)
    chmodSync(join(root, place), 0o755)
  }
  return {
    root,
    run(script, env = {}) {
      const callsFile = join(root, 'calls')
      writeFileSync(callsFile, '')
      const result = spawnSync('bash', [join(root, 'scripts', script)], {
        encoding: 'utf8',
        env: { PATH: `${join(root, 'bin')}:${process.env['PATH'] ?? ''}`, CALLS: callsFile, FAIL: '', ...env },
      })
      const calls = readFileSync(callsFile, 'utf8').trim().split('\n').filter(Boolean)
      return { code: result.status, output: result.stdout + result.stderr, calls }
    },
  }
}

const HOST = { CREON_API_HOST: '192.168.1.100' }
const HEALTH = 'check-connectivity http://192.168.1.100:8001'
const LINUX_UP = 'docker compose -f docker-compose.linux.yml up -d'

test('deploy-hybrid builds Linux, prepares, brings Linux up and asks the Creon service, in that order', () => {
  const { code, output, calls } = box().run('deploy-hybrid.sh', HOST)
  assert.equal(code, 0, output)
  assert.deepEqual(calls, [
    'docker version --format {{.Server.Os}}',
    'docker compose version',
    'npm run --silent docker:linux',
    'docker info',
    'docker network inspect jts-network',
    LINUX_UP,
    HEALTH,
  ])
  assert.match(output, /the Windows side is set up on its own machine/)
})

test('on an engine that runs Windows containers it builds the Windows image, and starts nothing', () => {
  const { code, calls } = box().run('deploy-hybrid.sh', { ...HOST, ENGINE: 'windows' })
  assert.equal(code, 0)
  assert.deepEqual(calls.slice(2), ['npm run --silent docker:windows'])
})

test('CREON_API_PORT is asked where it is given', () => {
  const { calls } = box().run('deploy-hybrid.sh', { ...HOST, CREON_API_PORT: '9001' })
  assert.equal(calls.at(-1), 'check-connectivity http://192.168.1.100:9001')
})

const FAILURES: [situation: string, env: Record<string, string>, said: RegExp, never: string[]][] = [
  ['no CREON_API_HOST', {}, /expected CREON_API_HOST/, ['npm', 'docker compose']],
  ['no engine', { ...HOST, FAIL: 'docker version' }, /expected a Docker engine/, ['npm', 'docker compose']],
  [
    'an image that does not build',
    { ...HOST, FAIL: 'npm run --silent docker:linux' },
    /an image was not built.*nothing was started/,
    [LINUX_UP, 'check-connectivity'],
  ],
  [
    'a Windows image that does not build',
    { ...HOST, ENGINE: 'windows', FAIL: 'npm run --silent docker:windows' },
    /image of creon-service was not built/,
    [LINUX_UP],
  ],
  [
    'an engine that ends meanwhile',
    { ...HOST, FAIL: 'docker info' },
    /they were not made.*nothing was started/,
    [LINUX_UP, 'check-connectivity'],
  ],
  [
    'a network that cannot be made',
    { ...HOST, FAIL: 'docker network' },
    /expected to create the network jts-network/,
    [LINUX_UP, 'check-connectivity'],
  ],
  [
    'services that do not come up',
    { ...HOST, FAIL: LINUX_UP },
    /the services did not come up: docker compose .* logs/,
    ['check-connectivity'],
  ],
  [
    'a Creon service that cannot work',
    { ...HOST, FAIL: 'check-connectivity' },
    /Linux runs, but the Creon service cannot work yet/,
    [],
  ],
]
for (const [situation, env, said, never] of FAILURES) {
  test(`deploy-hybrid fails loudly: ${situation}`, () => {
    const { code, output, calls } = box().run('deploy-hybrid.sh', env)
    assert.equal(code, 1, output)
    assert.match(output, /deploy-hybrid: FAILED: /)
    assert.match(output, said)
    for (const call of never) assert.ok(!calls.some((one) => one.startsWith(call)), `${call} was not to run`)
  })
}

test('deploy-hybrid fails loudly: no configuration', () => {
  const one = box()
  rmSync(join(one.root, 'jts.yaml'))
  const { code, output, calls } = one.run('deploy-hybrid.sh', HOST)
  assert.equal(code, 1)
  assert.match(output, /FAILED: expected jts\.yaml/)
  assert.ok(!calls.some((call) => call.startsWith('npm')))
})

test('without the compose plug-in it uses docker-compose', () => {
  const one = box()
  cpSync(join(one.root, 'bin/docker'), join(one.root, 'bin/docker-compose'))
  const { code, calls } = one.run('deploy-hybrid.sh', { ...HOST, FAIL: 'docker compose' })
  assert.equal(code, 0)
  assert.ok(calls.includes('docker-compose -f docker-compose.linux.yml up -d'))
})

test('prepare-containers makes passwords, keys and certificates once, readable inside and closed to others', () => {
  const one = box()
  const folder = join(one.root, '.jts/containers')
  assert.equal(one.run('prepare-containers.sh').code, 0)
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
  const first = ['services.env', 'postgres.env', 'redis.conf', 'tls/ca.pem', 'tls/cert.pem', 'tls/key.pem'].map(read)
  assert.equal(statSync(folder).mode & 0o777, 0o700)
  for (const name of ['services.env', 'postgres.env', 'venue.env', 'accounts.env']) {
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name)
  }
  // Real accounts never meet the play keys.
  assert.match(read('venue.env'), /^JTS_VENUE_HOST=binance-venue\nJTS_BINANCE_API_KEY=[0-9a-f]{64}\n/)
  assert.ok(!/^[^#]/m.test(read('accounts.env')))
  assert.ok(!read('services.env').includes('API_KEY'))
  const password = /POSTGRES_PASSWORD=([0-9a-f]{48})\n/.exec(read('postgres.env'))?.[1]
  assert.ok(read('services.env').includes(`DATABASE_URL=postgres://jts:${password}@postgres:5432/jts\n`))
  const redis = /requirepass ([0-9a-f]{48})\n/.exec(read('redis.conf'))?.[1]
  assert.ok(read('services.env').includes(`REDIS_URL=redis://:${redis}@redis:6379\n`))

  const certificate = new X509Certificate(read('tls/cert.pem'))
  const authority = new X509Certificate(read('tls/ca.pem'))
  assert.ok(certificate.verify(authority.publicKey))
  for (const name of ['risk-management', 'order-execution', 'api-gateway', 'localhost'])
    assert.equal(certificate.checkHost(name), name)
  assert.equal(certificate.checkHost('elsewhere'), undefined)
  assert.ok(!existsSync(join(folder, 'tls/ca-key.pem')))

  assert.equal(one.run('prepare-containers.sh').code, 0)
  assert.deepEqual(
    ['services.env', 'postgres.env', 'redis.conf', 'tls/ca.pem', 'tls/cert.pem', 'tls/key.pem'].map(read),
    first,
  )
})

test('prepare-containers makes the network only where there is none', () => {
  const { calls } = box().run('prepare-containers.sh', { FAIL: 'docker network inspect' })
  assert.deepEqual(calls.slice(-2), ['docker network inspect jts-network', 'docker network create jts-network'])
})

test('prepare-containers makes no new password for a database that exists', () => {
  const one = box()
  one.run('prepare-containers.sh')
  rmSync(join(one.root, '.jts/containers/services.env'))
  const { code, output } = one.run('prepare-containers.sh')
  assert.equal(code, 1)
  assert.match(output, /expected .*services\.env beside postgres\.env, found none/)
})

test('the Windows script, by its text: CRLF, the right file, its exit code', () => {
  const text = readFileSync(join(ROOT, 'scripts/dev-windows.bat'), 'utf8')
  assert.deepEqual(
    text.split('\r\n').filter((line) => line.includes('\n')),
    [],
  )
  assert.match(text, /^node scripts\\node\.js scripts\\dev\.ts \.env\.windows\r$/m)
  assert.match(text, /^exit \/b %errorlevel%\r$/m)
})

test('shellcheck finds nothing in the scripts', () => {
  const files = [...globSync('scripts/*.sh', { cwd: ROOT }), ...globSync('infra/docker/**/*.sh', { cwd: ROOT })]
  const { status, stdout } = spawnSync('shellcheck', [...files, 'scripts/check-connectivity'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  assert.equal(status, 0, stdout)
  assert.ok(files.length >= 5)
})
