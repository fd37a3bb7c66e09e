/** What the supervisor says of a service that ends by itself. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { silentLogger } from '@jts/runtime'
import { Supervisor } from './supervisor.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-supervisor-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('a service that cannot start is told of with the reason that it gives itself', async () => {
  const runFile = join(folder, 'run-distributed.json')
  writeFileSync(runFile, '{ "mode": "sim" }')
  const supervisor = new Supervisor(runFile, silentLogger)
  const told = new Promise<string>((resolve) => (supervisor.onEnded = (name, how) => resolve(`${name} ${how}`)))
  void supervisor.start([{ service: 'risk-management', name: 'risk-management', host: '127.0.0.1', port: 0 }])
  assert.match(await told, /^risk-management ended with code 2: .*run-distributed\.json: replay: /)
  assert.match(supervisor.states()[0]!.ended ?? '', /^ended with code 2: .*: replay: /)
  await supervisor.stop()
})
