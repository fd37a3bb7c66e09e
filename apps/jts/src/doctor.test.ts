import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { clockSkew, examine, freeSpace, nodeVersion, type Finding } from './doctor.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-doctor-'))

function about(findings: readonly Finding[], words: string): Finding {
  const found = findings.find((finding) => finding.about.includes(words))
  assert.ok(found, `expected a finding about ${words}`)
  return found
}

for (const [what, finding, state] of [
  ['Node.js 24', nodeVersion('24.1.0'), 'ok'],
  ['Node.js 20', nodeVersion('20.20.2'), 'mend'],
  ['much room', freeSpace('/data', 50e9), 'ok'],
  ['little room', freeSpace('/data', 1e9), 'note'],
  ['no room', freeSpace('/data', 1e6), 'mend'],
  ['a clock that agrees', clockSkew('https://broker', -40), 'ok'],
  ['a clock that is two seconds behind', clockSkew('https://broker', 2000), 'mend'],
] as const) {
  test(`${what}: ${state}`, () => {
    assert.equal(finding.state, state)
    assert.equal(finding.state === 'ok', finding.mend === undefined, 'what is not well says how to mend it')
  })
}

test('a machine without a configuration is well in mode sim', async () => {
  const findings = await examine({ dataDir: folder, port: 0, env: {} })
  assert.equal(about(findings, 'configuration').state, 'ok')
  assert.equal(about(findings, 'keys').state, 'ok')
  assert.deepEqual(
    findings.filter(({ state }) => state === 'mend'),
    [],
  )
})

test('a configuration that cannot be read is said with its line, and nothing that follows from it is asked', async () => {
  const config = join(folder, 'jts.yaml')
  writeFileSync(config, 'mode: simm\n')
  const findings = await examine({ config, dataDir: folder, port: 0, env: {} })
  assert.equal(about(findings, 'configuration').state, 'mend')
  assert.match(about(findings, 'configuration').found, /jts\.yaml:1/)
  assert.equal(
    findings.some((finding) => finding.about.includes('keys')),
    false,
  )
})

test('certificates that cannot be used are to be mended', async () => {
  const config = join(folder, 'tls.yaml')
  writeFileSync(config, 'distributed: { tls: { ca: missing.pem, cert: missing.pem, key: missing.key } }\n')
  const finding = about(await examine({ config, dataDir: folder, port: 0, env: {} }), 'TLS')
  assert.equal(finding.state, 'mend')
  assert.match(finding.found, /missing\.pem: cannot be read/)
})

test('a given server that answers is well; one that does not is to be mended, and its password is not said', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address() as { port: number }
  const url = `postgres://jts:secret@127.0.0.1:${port}/jts`
  assert.equal(about(await examine({ dataDir: folder, port: 0, env: { DATABASE_URL: url } }), 'PostgreSQL').state, 'ok')
  await new Promise((done) => server.close(done))
  const gone = about(await examine({ dataDir: folder, port: 0, env: { DATABASE_URL: url } }), 'PostgreSQL')
  assert.equal(gone.state, 'mend')
  assert.doesNotMatch(JSON.stringify(gone), /secret/)
})

test('a given Kafka whose topics cannot be asked for is a note that says why', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address() as { port: number }
  const dataDir = mkdtempSync(join(folder, 'run-'))
  const env = { KAFKA_BROKERS: `127.0.0.1:${port}` }
  assert.equal(about(await examine({ dataDir, port: 0, env }), 'Kafka').state, 'ok')
  writeFileSync(join(dataDir, 'run-distributed.json'), '{}')
  const { state, found } = about(await examine({ dataDir, port: 0, env }), 'Kafka')
  assert.equal(state, 'note')
  assert.match(found, /its topics cannot be asked for: .*run-distributed\.json/)
  server.close()
})

test('a taken port is a note, because the next free one is used', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address() as { port: number }
  assert.equal(about(await examine({ dataDir: folder, port, env: {} }), 'port').state, 'note')
  server.close()
})
