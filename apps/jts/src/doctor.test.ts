import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePort } from '@jts/servers'
import { clockSkew } from './doctor-brokers.ts'
import { calendarEnds } from './krx-config.ts'
import { examine, freeSpace, nodeVersion, type DoctorOptions, type Finding } from './doctor.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-doctor-'))

/** Servers that are there have time to answer, and it is not this machine's disk that is looked at. */
const examined = (options: DoctorOptions): Promise<Finding[]> =>
  examine({ answerMs: 60_000, freeBytesOf: () => 50e9, ...options })

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
  const findings = await examined({ dataDir: folder, port: 0, env: {} })
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
  const findings = await examined({ config, dataDir: folder, port: 0, env: {} })
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
  const finding = about(await examined({ config, dataDir: folder, port: 0, env: {} }), 'TLS')
  assert.equal(finding.state, 'mend')
  assert.match(finding.found, /missing\.pem: cannot be read/)
})

test('a given server that answers is well; one that does not is to be mended, and its password is not said', async () => {
  const port = await freePort()
  const server = createServer().listen(port, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const url = `postgres://jts:secret@127.0.0.1:${port}/jts`
  assert.equal(
    about(await examined({ dataDir: folder, port: 0, env: { DATABASE_URL: url } }), 'PostgreSQL').state,
    'ok',
  )
  await new Promise((done) => server.close(done))
  const gone = about(await examined({ dataDir: folder, port: 0, env: { DATABASE_URL: url } }), 'PostgreSQL')
  assert.equal(gone.state, 'mend')
  assert.doesNotMatch(JSON.stringify(gone), /secret/)
})

test('a given Kafka whose topics cannot be asked for is a note that says why', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address() as { port: number }
  const dataDir = mkdtempSync(join(folder, 'run-'))
  const env = { KAFKA_BROKERS: `127.0.0.1:${port}` }
  assert.equal(about(await examined({ dataDir, port: 0, env }), 'Kafka').state, 'ok')
  writeFileSync(join(dataDir, 'run-distributed.json'), '{}')
  const { state, found } = about(await examined({ dataDir, port: 0, env }), 'Kafka')
  assert.equal(state, 'note')
  assert.match(found, /its topics cannot be asked for: .*run-distributed\.json/)
  server.close()
})

test('a run is looked for in the folder of the mode', async () => {
  const before = process.cwd()
  process.chdir(mkdtempSync(join(folder, 'modes-')))
  try {
    writeFileSync('paper.yaml', 'mode: paper\naccounts: [{ name: krx, broker: creon }]\n')
    const config = 'paper.yaml'
    assert.match(about(await examined({ config, port: 0, env: {} }), 'data folder').found, /\.jts\/paper, /)
    assert.match(about(await examined({ port: 0, env: {} }), 'data folder').found, /\.jts\/sim, /)
  } finally {
    process.chdir(before)
  }
})

const KRX_ALONE = 'accounts: [{ name: krx, broker: creon }]\n'
const LIVE = 'mode: live\nlive: true\nrisk: { notionalMaxPerOrder: 1 }\n'
const withConfig = async (name: string, text: string): Promise<Finding[]> => {
  const config = join(folder, `${name}.yaml`)
  writeFileSync(config, text)
  return await examined({ config, dataDir: folder, port: 0, env: {} })
}

test('with an account at Creon alone Binance is not asked, and its service is', async () => {
  let status = 'up'
  const port = await freePort()
  const service = createHttpServer((_, response) => {
    response.setHeader('connection', 'close').end(JSON.stringify({ status }))
  }).listen(port, '127.0.0.1')
  await new Promise((done) => service.once('listening', done))
  const config = `${LIVE}${KRX_ALONE}creon: { host: 127.0.0.1, port: ${port} }\n`
  const well = await withConfig('krx', config)
  assert.equal(about(well, "Creon's service").state, 'ok')
  assert.ok(!well.some((one) => one.about.includes('Binance')))
  status = 'down'
  assert.equal(about(await withConfig('krx', config), "Creon's service").state, 'note')
  status = 'something else'
  assert.match(about(await withConfig('krx', config), "Creon's service").found, /not as one of ours/)
  await new Promise((done) => service.close(done))
  const gone = about(await withConfig('krx', config), "Creon's service")
  assert.equal(gone.state, 'mend')
  assert.match(gone.found, /ECONNREFUSED/)
  assert.match(gone.mend ?? '', /check-connectivity http:\/\/127/)
  assert.match(about(await withConfig('krx', `${LIVE}${KRX_ALONE}`), "Creon's service").found, /no address/)
  assert.match(about(await withConfig('krx', `mode: paper\n${KRX_ALONE}`), "Creon's service").found, /mode paper/)
})

for (const [today, knownTo, said] of [
  ['2026-11-15T14:59:59Z', undefined, undefined],
  // Midnight in Korea.
  ['2026-11-15T15:00:00Z', undefined, /end on 2026-12-31, in 45 days; orders in Korean shares are denied after that/],
  ['2026-12-31T14:59:59Z', undefined, /end on 2026-12-31, in 0 days/],
  ['2026-12-31T15:00:00Z', undefined, /ended on 2026-12-31/],
  ['2026-12-31T15:00:00Z', '2027-12-31', undefined],
] as const) {
  test(`on ${today} with holidays known to ${knownTo ?? 'the shipped end'}: ${said?.source ?? 'nothing to say'}`, () => {
    const text = calendarEnds(knownTo === undefined ? undefined : { knownTo }, Date.parse(today))
    if (said === undefined) assert.equal(text, undefined)
    else assert.match(text!, said)
  })
}

test('the holidays of the KRX are asked about where shares are traded for money', async () => {
  const findings = async (text: string) =>
    (await withConfig('holidays', text)).filter((one) => one.about.includes('holidays'))
  assert.deepEqual(await findings(KRX_ALONE), [])
  const [long] = await findings(`${LIVE}${KRX_ALONE}krx: { knownTo: 2099-12-31 }\n`)
  assert.equal(long!.state, 'ok')
})

test('the simulated Creon needs Python: to be mended where it is configured, a note of the examples', async () => {
  const before = process.env['PATH']
  assert.equal(about(await withConfig('sim', KRX_ALONE), 'Python').state, 'ok')
  try {
    process.env['PATH'] = folder
    const { state } = about(await withConfig('sim', KRX_ALONE), 'Python')
    const example = about(await examined({ dataDir: folder, port: 0, env: {} }), 'Python').state
    // Debian's own is looked for by its path.
    const isDebian = existsSync('/usr/bin/python3')
    assert.deepEqual([state, example], isDebian ? ['ok', 'ok'] : ['mend', 'note'])
  } finally {
    process.env['PATH'] = before
  }
  assert.ok(!(await withConfig('btc', 'mode: sim\n')).some((one) => one.about.includes('Python')))
})

test('a taken port is a note, because the next free one is used', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address() as { port: number }
  assert.equal(about(await examined({ dataDir: folder, port, env: {} }), 'port').state, 'note')
  server.close()
})
