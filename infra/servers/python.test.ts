import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { environmentOf, findPython, installEnvironment, PYTHON_OLDEST } from './python.ts'

const ROOT = resolve(import.meta.dirname, '../..')

test('finds a Python that is new enough', () => {
  const python = findPython()
  assert.ok(python, 'expected Python on this machine')
  const [major = 0, minor = 0] = python.version.split('.').map(Number)
  assert.ok(major === PYTHON_OLDEST[0] && minor >= PYTHON_OLDEST[1])
})

test('creon-service is built where no program is called python', () => {
  const root = mkdtempSync(join(tmpdir(), 'jts-python-'))
  try {
    const real = spawnSync(findPython()!.command, ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' })
    symlinkSync(real.stdout.trim(), join(root, 'python3'))
    symlinkSync(process.execPath, join(root, 'node'))
    const project = readFileSync(join(ROOT, 'apps/brokers/creon-service/project.json'), 'utf8')
    const { command } = (JSON.parse(project) as { targets: { build: { options: { command: string } } } }).targets.build
      .options
    const built = command.replace('dist/apps', join(root, 'dist'))
    const { status, stderr } = spawnSync('/bin/sh', ['-c', built], { cwd: ROOT, env: { PATH: root }, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    assert.ok(existsSync(join(root, 'dist/creon-service/src/main.py')))
  } finally {
    rmSync(root, { recursive: true })
  }
})

test('an environment belongs to the content of its requirements, and of what they include', () => {
  const root = mkdtempSync(join(tmpdir(), 'jts-python-'))
  try {
    writeFileSync(join(root, 'base.txt'), 'one==1\n')
    writeFileSync(join(root, 'dev.txt'), '-r base.txt\ntwo==2\n')
    const first = environmentOf('dev.txt', root, root).python
    assert.equal(environmentOf('dev.txt', root, root).python, first)
    writeFileSync(join(root, 'base.txt'), 'one==1.1\n')
    assert.notEqual(environmentOf('dev.txt', root, root).python, first)
  } finally {
    rmSync(root, { recursive: true })
  }
})

test('what was installed is not installed again, and what cannot be leaves nothing to be used', async () => {
  const root = mkdtempSync(join(tmpdir(), 'jts-python-'))
  try {
    writeFileSync(join(root, 'none.txt'), '# nothing\n')
    const environment = environmentOf('none.txt', root, root)
    assert.equal(environment.installed(), false)
    const folder = resolve(dirname(environment.python), '..')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, '.installed'), '')
    assert.equal(environment.installed(), true)
    await installEnvironment(environment, () => assert.fail('installed again'))

    writeFileSync(join(root, 'bad.txt'), 'not a requirement at all\n')
    const bad = environmentOf('bad.txt', root, root)
    await assert.rejects(
      installEnvironment(bad, () => undefined),
      /expected pip to install/,
    )
    assert.equal(bad.installed(), false)
  } finally {
    rmSync(root, { recursive: true })
  }
})
