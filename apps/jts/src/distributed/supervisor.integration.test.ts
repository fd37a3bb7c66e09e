/** What the supervisor says of a service that ends by itself, and the process that waits to be one. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { silentLogger } from '@jts/runtime'
import { startJts } from '@jts/testkit'
import { Supervisor } from './supervisor.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-supervisor-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('a service that cannot start is told of with the reason that it gives itself', async () => {
  const runFile = join(folder, 'run-distributed.json')
  writeFileSync(runFile, '{ "mode": "sim" }')
  const supervisor = new Supervisor(runFile, silentLogger, () => process.env)
  const told = new Promise<string>((resolve) => (supervisor.onEnded = (name, how) => resolve(`${name} ${how}`)))
  void supervisor.start([{ service: 'risk-management', name: 'risk-management', host: '127.0.0.1', port: 0 }])
  assert.match(await told, /^risk-management ended with code 2: .*run-distributed\.json: replay: /)
  assert.match(supervisor.states()[0]!.ended ?? '', /^ended with code 2: .*: replay: /)
  await supervisor.stop()
})

test('a spare goes on as the member that it is told to be, and ends with whoever holds it', async () => {
  const runFile = join(folder, 'nothing.json')
  const spare = (): ReturnType<typeof startJts> =>
    startJts(['serve', '--spare', '--run', runFile, '--exit-with-stdin', '--json'], {}, 'pipe')
  const [told, left] = [spare(), spare()]
  told.child.stdin!.write('risk-management\n')
  left.child.stdin!.end()
  const { code, stdout } = await told.ended
  assert.equal(code, 2)
  assert.match(
    (JSON.parse(stdout) as { ended: string }).ended,
    /expected the file of a distributed run at .*nothing\.json/,
  )
  assert.deepEqual([(await left.ended).code, (await left.ended).stdout], [0, ''])
})
