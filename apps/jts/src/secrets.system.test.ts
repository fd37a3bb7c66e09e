/** Every place that a secret comes in by, and every way in which it might come out again: what is said holds none of them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runJts } from '@jts/testkit'

const folder = mkdtempSync(join(tmpdir(), 'jts-secrets-'))
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))

const SECRETS = {
  apiKey: 'kEyAAAA1111bbbb2222cccc3333dddd4444eeee5555ffff6666aaaa7777bbbb88',
  apiSecret: 'sEcRetAAAA1111bbbb2222cccc3333dddd4444eeee5555ffff6666aaaa7777bb88',
  database: 'dbPassword/4711+x',
  redis: 'redisPassword4711',
  collector: 'collectorKey4711abc',
  collectorPath: 'tenantPath4711abc',
  webhook: 'B0000webhookPath4711',
}
const ENV = {
  JTS_BINANCE_API_KEY: SECRETS.apiKey,
  JTS_BINANCE_API_SECRET: SECRETS.apiSecret,
  DATABASE_URL: `postgres://jts:${encodeURIComponent(SECRETS.database)}@127.0.0.1:9/jts`,
  REDIS_URL: `redis://:${SECRETS.redis}@127.0.0.1:9`,
  KAFKA_BROKERS: '127.0.0.1:9',
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:9/${SECRETS.collectorPath}`,
  OTEL_EXPORTER_OTLP_HEADERS: `authorization=${SECRETS.collector}`,
  JTS_LOG_LEVEL: 'trace',
}

async function said(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { stdout, stderr } = await runJts(args, { ...ENV, ...env })
  const text = stdout + stderr
  for (const [name, secret] of Object.entries(SECRETS)) {
    for (const form of [secret, encodeURIComponent(secret)]) assert.ok(!text.includes(form), `${name} in: ${text}`)
  }
  return text
}

function configFile(name: string, lines: readonly string[]): string {
  const file = join(folder, `${name}.yaml`)
  writeFileSync(file, `${lines.join('\n')}\n`)
  return file
}

test('a venue that answers with all that it was sent', async () => {
  const asked: string[] = []
  const venue = createServer((request, response) => {
    asked.push(request.url ?? '')
    const message = `refused: ${request.url} ${JSON.stringify(request.headers)}`
    response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ code: -2015, msg: message }))
  })
  venue.listen(0, '127.0.0.1')
  await once(venue, 'listening')
  const url = `http://127.0.0.1:${(venue.address() as AddressInfo).port}`
  const config = configFile('venue', [
    'notifications:',
    `  webhook: http://127.0.0.1:9/services/${SECRETS.webhook}`,
    'strategies:',
    '  - { strategy: ema-cross, instrument: "BINANCE:BTCUSDT", timeframe: 1m }',
  ])
  const dataDir = join(folder, 'venue')
  const text = await said([
    'up',
    '--config',
    config,
    '--venue',
    `binance=${url}`,
    '--data-dir',
    dataDir,
    '--no-dashboard',
  ])
  venue.close()
  venue.closeAllConnections()
  assert.ok(asked.length > 0, 'expected the venue to be asked')
  assert.match(text, /refused/)
})

test('a secret where the name of its variable was asked for', async () => {
  const config = configFile('pasted', ['accounts:', '  - name: main', `    apiSecretEnv: ${SECRETS.apiSecret}`])
  assert.match(await said(['up', '--config', config]), /expected the name of an environment variable/)
})

test('a secret under a name that does not exist, and an address that is none', async () => {
  const unknown = configFile('unknown', ['accounts:', '  - name: main', `    apiSecret: ${SECRETS.apiSecret}`])
  assert.match(await said(['up', '--config', unknown]), /apiSecret/)
  const webhook = configFile('webhook', ['notifications:', `  webhook: htp//hooks/${SECRETS.webhook}`])
  assert.match(await said(['up', '--config', webhook]), /expected an http or https address/)
  const collector = configFile('collector', ['tracing:', `  endpoint: htp//${SECRETS.collectorPath}`])
  assert.match(await said(['up', '--config', collector]), /expected an http or https address/)
  const plain = ['--config', configFile('plain', ['mode: sim']), '--data-dir', join(folder, 'plain')]
  const text = await said(['up', '--no-dashboard', ...plain], { OTEL_EXPORTER_OTLP_ENDPOINT: SECRETS.collectorPath })
  assert.match(text, /OTEL_EXPORTER_OTLP_ENDPOINT/)
})

test('servers that do not answer, at addresses with passwords', async () => {
  assert.match(await said(['doctor', '--json']), /127\.0\.0\.1:9/)
})
