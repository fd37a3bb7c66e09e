import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger, type LoggerOptions } from './log.ts'
import { keepSecret, keepSecretsOf, withoutSecrets } from './secrets.ts'

function logger(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = []
  const log = createLogger({ name: 'test', mode: 'sim', level: 'info', ...options }, (line) => void lines.push(line))
  return { log, lines, last: () => JSON.parse(lines.at(-1)!) as Record<string, unknown> }
}

test('a line is one JSON object that says when, how bad, in which mode, and by whom', () => {
  const { log, lines, last } = logger()
  log.child({ service: 'order-execution' }).warn({ correlationId: 'c', orderId: 'o' }, 'two\nlines')
  assert.equal(lines.length, 1)
  assert.equal(lines[0]!.indexOf('\n'), lines[0]!.length - 1)
  const { time, ...rest } = last()
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.deepEqual(rest, {
    level: 'warn',
    mode: 'sim',
    name: 'test',
    service: 'order-execution',
    correlationId: 'c',
    orderId: 'o',
    msg: 'two\nlines',
  })
})

test('what is below the level is not written; a level that does not exist does not end the process', () => {
  const before = process.env['JTS_LOG_LEVEL']
  process.env['JTS_LOG_LEVEL'] = 'loud'
  try {
    const { log, lines } = logger({ level: 'warn' })
    log.info('quiet')
    log.warn('said')
    assert.equal(lines.length, 1)
  } finally {
    if (before === undefined) delete process.env['JTS_LOG_LEVEL']
    else process.env['JTS_LOG_LEVEL'] = before
  }
})

test('a secret is blotted out wherever it turns up: in a field, an error, its cause, a stack, an address', () => {
  const secret = keepSecret('s3cr3t/with+signs"and&more')
  const { log, lines } = logger()
  const cause = new Error(`the venue said: bad signature for ${secret}`)
  log.error({ err: new Error('it failed', { cause }), nested: { deep: [{ found: secret }] } }, `asked with ${secret}`)
  log.info({ url: `https://venue.example/api?signature=${encodeURIComponent(secret)}` }, JSON.stringify({ secret }))
  const text = lines.join('')
  assert.equal(lines.length, 2)
  assert.ok(!text.includes('s3cr3t'), text)
  assert.ok(text.includes('[secret]'))
  for (const line of lines) JSON.parse(line)
})

test('fields that are always secret are blotted out even when nobody has said what they hold', () => {
  const { log, lines } = logger()
  log.info({ apiSecret: 'unknown-one', account: { apiKey: 'unknown-two', signature: 'unknown-three' } }, 'account')
  assert.doesNotMatch(lines[0]!, /unknown-/)
})

test('the password of an address is a secret, and for a webhook its whole path', () => {
  keepSecretsOf('postgres://jts:pass%40word-1@db.example:5432/jts')
  keepSecretsOf('https://hooks.example/services/T0000/abcdefghijkl', { wholePath: true })
  assert.equal(withoutSecrets('postgres://jts:pass%40word-1@db'), 'postgres://jts:[secret]@db')
  assert.equal(withoutSecrets('password pass@word-1 refused'), 'password [secret] refused')
  assert.doesNotMatch(withoutSecrets('POST /services/T0000/abcdefghijkl failed'), /abcdef/)
  keepSecretsOf('no address')
  keepSecretsOf(undefined)
})

test('what is too short to be a key is left alone: it would blot out half of what is said', () => {
  keepSecret('main')
  assert.equal(withoutSecrets('account main'), 'account main')
})
