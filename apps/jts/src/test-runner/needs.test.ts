import { afterEach, beforeEach, test } from 'node:test'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { provide } from './needs.ts'

/** A PATH on which only what the case puts there is found. */
let bin: string
const path = process.env['PATH']

beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), 'jts-needs-'))
  process.env['PATH'] = bin
  symlinkSync('/usr/bin/env', join(bin, 'env'))
  program('sudo', 'shift; exec "$@"')
})

afterEach(() => {
  process.env['PATH'] = path
  rmSync(bin, { recursive: true })
})

function program(name: string, script: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
}

test('installs nothing when everything is there', async () => {
  program('chromium', '')
  assert.equal(await provide(['chromium'], () => assert.fail('said something')), undefined)
})

test('installs what is missing, and only that', async () => {
  program('python3', '')
  program(
    'apt-get',
    `echo "$*" >>'${bin}/log'; case $* in *install*) printf '#!/bin/sh\\n' >'${bin}/chromium'; /bin/chmod +x '${bin}/chromium' ;; esac`,
  )
  const said: string[] = []
  assert.equal(await provide(['chromium', 'python3'], (words) => said.push(words)), undefined)
  assert.deepEqual(said, ['installing what the tests need: chromium'])
})

test('says what is missing when apt-get brings nothing', async () => {
  program('apt-get', 'echo "E: Unable to locate package"; exit 100')
  assert.match(
    (await provide(['chromium'], () => undefined)) ?? '',
    /apt-get install chromium.*exit code 100[^]*Unable to locate/,
  )
})

test('says what to do where there is no apt-get', async () => {
  assert.match((await provide(['chromium'], () => undefined)) ?? '', /expected chromium on PATH.*no apt-get/)
})

test('installs a Java that is new enough beside an old one', async () => {
  const java = (version: string) => `#!/bin/sh\necho 'openjdk version "${version}"' >&2\n`
  program('java', java('11.0.2'))
  writeFileSync(join(bin, 'newer'), java('17.0.15'), { mode: 0o755 })
  program('apt-get', `case $* in *install*) /bin/mv '${bin}/newer' '${bin}/java' ;; esac`)
  const said: string[] = []
  assert.equal(await provide(['java'], (words) => said.push(words)), undefined)
  assert.deepEqual(said, ['installing what the tests need: openjdk-17-jre-headless'])
})

test('names every program that stays missing', async () => {
  program('apt-get', '')
  assert.match(
    (await provide(['redis-server', 'maven'], () => undefined)) ?? '',
    /expected apt-get install redis-server maven to bring redis-server, maven; apt-get reported success/,
  )
})
