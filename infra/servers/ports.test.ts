import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

import { freePort } from './ports.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-ports-test-'))
after(() => rmSync(folder, { recursive: true }))

test('a port that was given is not given again, though nobody listens on it yet', async () => {
  // Of 12,768 ports, 500 drawn at random would meet about ten times.
  const ports = new Set<number>()
  for (let drawn = 0; drawn < 500; drawn++) ports.add(await freePort())
  assert.equal(ports.size, 500)
})

test('a port that another living process has given is not given, one of a process that is gone is', async () => {
  const gone = spawnSync(process.execPath, ['-e', '']).pid
  const living = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)'])
  try {
    for (let port = 20_000; port < 32_768; port++) {
      writeFileSync(join(folder, String(port)), String(port % 64 === 0 ? gone : living.pid))
    }
    // Another process is about to take over every second one.
    for (let port = 20_032; port < 32_768; port += 128) writeFileSync(join(folder, `${port}.taking`), '')
    const { length } = readdirSync(folder)
    const port = await freePort(folder)
    assert.equal(port % 128, 0)
    assert.equal(readFileSync(join(folder, String(port)), 'utf8'), String(process.pid))
    assert.equal(readdirSync(folder).length, length)
  } finally {
    living.kill('SIGKILL')
  }
})

test('where nothing can be written, a port is given all the same', async () => {
  assert.ok((await freePort('/dev/null/ports')) >= 20_000)
})
