/** Each variable of .env.linux and .env.windows has an effect, shown on the files themselves and on what Nx makes of them. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { parseEnvironment, planServe, type Machine, type Settings } from './serve-plan.ts'

const ROOT = resolve(import.meta.dirname, '..')
const LINUX: Machine = { platform: 'linux', isThere: () => false }
const WINDOWS: Machine = { platform: 'win32', isThere: (path) => path === 'C:/PLUS/' }

const read = (file: string): Settings => parseEnvironment(readFileSync(join(ROOT, file), 'utf8'), file)
const linux = read('.env.linux')
const windows = read('.env.windows')

test('on Linux everything is served but what only Windows can run and what is excluded', () => {
  assert.deepEqual(planServe(linux, LINUX), [
    'run-many',
    '--target=serve',
    '--exclude=tag:windows-only,creon-service',
    '--parallel=30',
  ])
})

test('on Windows only the included service is served, in its configuration', () => {
  assert.deepEqual(planServe(windows, WINDOWS), [
    'run-many',
    '--target=serve',
    '--projects=creon-service',
    '--configuration=windows',
    '--parallel=30',
  ])
})

const CASES: [situation: string, settings: Settings, machine: Machine, expected: string | RegExp][] = [
  [
    'PLATFORM takes in what only Windows can run',
    { ...windows, INCLUDED_SERVICES: '' },
    WINDOWS,
    '--projects=tag:windows-only',
  ],
  [
    'EXCLUDED_SERVICES leaves out more',
    { ...linux, EXCLUDED_SERVICES: 'api-gateway, creon-service' },
    LINUX,
    '--exclude=tag:windows-only,api-gateway,creon-service',
  ],
  ['without EXCLUDED_SERVICES the tag still holds', { PLATFORM: 'linux' }, LINUX, '--exclude=tag:windows-only'],
  [
    'INCLUDED_SERVICES narrows on Linux too',
    { ...linux, INCLUDED_SERVICES: 'risk-management' },
    LINUX,
    '--projects=risk-management',
  ],
  [
    'a platform that this machine is not',
    windows,
    LINUX,
    /PLATFORM: expected linux, which this machine is, found windows/,
  ],
  ['a platform that is none', { PLATFORM: 'beos' }, LINUX, /PLATFORM: expected linux or windows, found "beos"/],
  ['no platform', {}, LINUX, /PLATFORM: expected linux or windows, found ""/],
  [
    'a service both included and excluded',
    { ...linux, INCLUDED_SERVICES: 'creon-service' },
    LINUX,
    /both included and excluded, found creon-service/,
  ],
  [
    'a name that is none',
    { ...linux, EXCLUDED_SERVICES: 'a --all' },
    LINUX,
    /EXCLUDED_SERVICES: expected names of services, found "a --all"/,
  ],
  [
    'CREON Plus is not where CREON_API_PATH says',
    { ...windows, CREON_API_PATH: 'D:/PLUS/' },
    WINDOWS,
    /CREON_API_PATH: .*found nothing at D:\/PLUS\//,
  ],
  ['no CREON_API_PATH', { ...windows, CREON_API_PATH: '' }, WINDOWS, /CREON_API_PATH: .*found none/],
]
for (const [situation, settings, machine, expected] of CASES) {
  test(situation, () => {
    if (expected instanceof RegExp) assert.throws(() => planServe(settings, machine), expected)
    else assert.ok(planServe(settings, machine).includes(expected))
  })
}

test('a line that sets nothing is told with its place', () => {
  assert.throws(
    () => parseEnvironment('A=1\n\n# why\nB 2\n', '.env'),
    /^Error: \.env:4: expected NAME=VALUE, found "B 2"/,
  )
  assert.deepEqual(parseEnvironment('A=1\r\nB=x=y\r\nC=\r\n', '.env'), { A: '1', B: 'x=y', C: '' })
})

test('the development script refuses a file of another platform before anything starts', () => {
  const file = process.platform === 'win32' ? '.env.linux' : '.env.windows'
  const { status, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'dev.ts'), file], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  })
  assert.equal(status, 2)
  assert.match(stderr, /PLATFORM: expected/)
})

test('Nx knows what the plan asks for', () => {
  const plan = planServe(linux, LINUX)
  const args = ['nx', 'show', 'projects', '--withTarget=serve', ...plan.filter((one) => one.startsWith('--exclude'))]
  // The daemon would outlive the test, and plugins in processes of their own are given up on a slow machine.
  const env = { ...process.env, NX_DAEMON: 'false', NX_ISOLATE_PLUGINS: 'false' }
  const { stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'node.js'), ...args], {
    encoding: 'utf8',
    env,
  })
  const served = stdout.trim().split('\n')
  assert.ok(served.includes('risk-management') && served.includes('api-gateway'), stdout + stderr)
  assert.ok(!served.includes('creon-service') && !served.includes('jts'), stdout)
})
