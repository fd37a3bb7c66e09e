import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { silentLogger } from '@jts/runtime'
import { FakePorts } from './testing/fake-ports.ts'
import { createApiGateway, type ApiGateway } from './server.ts'

type Answer = { status: number; type: string; headers: Record<string, unknown>; text: string; json: any }

/** `fetch` does not let a caller choose `Host`; a page under DNS rebinding does. */
function call(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      url,
      // A connection that is kept may be closed by the server at the moment of the next question.
      { method: options.method ?? 'GET', headers: options.headers ?? {}, agent: false },
      (incoming) => {
        let text = ''
        incoming.setEncoding('utf8')
        incoming.on('data', (chunk: string) => (text += chunk))
        incoming.on('end', () => {
          const type = String(incoming.headers['content-type'] ?? '')
          const json = type.includes('json') ? JSON.parse(text) : undefined
          resolve({ status: incoming.statusCode ?? 0, type, headers: incoming.headers, text, json })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(options.body)
  })
}

const JSON_BODY = { 'content-type': 'application/json' }

describe('api gateway', () => {
  let ports: FakePorts
  let gateway: ApiGateway
  let url: string

  before(async () => {
    ports = new FakePorts()
    gateway = createApiGateway({ ports, port: 0, log: silentLogger, mode: 'sim' })
    url = (await gateway.start()).url
  })
  after(() => gateway.stop())

  const questions: [path: string, check: (data: any) => boolean][] = [
    ['/status', (data) => data.mode === 'sim' && data.tradingState === 'active'],
    ['/portfolio', (data) => data.accounts.length === 2 && typeof data.accounts[0].equity === 'string'],
    ['/candles?instrument=BINANCE:BTCUSDT&timeframe=1m&limit=10', (data) => data.length === 10],
    ['/candles?instrument=BINANCE:BTCUSDT&timeframe=1m', (data) => data.length === 240],
    ['/orders?limit=3', (data) => data.length === 3],
    ['/orders', (data) => data[0].orderId.startsWith('order-')],
    ['/fills?instrument=KRX:005930&limit=2', (data) => data.length === 2 && data[0].instrument === 'KRX:005930'],
    ['/fills', (data) => data.length === 6],
    ['/risk-decisions?limit=4', (data) => data.length === 4 && typeof data[0].approved === 'boolean'],
  ]
  for (const [path, check] of questions) {
    it(`answers GET ${path} with the port's view in the envelope`, async () => {
      const answer = await call(`${url}/api/v1${path}`)
      assert.equal(answer.status, 200)
      assert.equal(answer.json.success, true)
      assert.ok(check(answer.json.data), answer.text)
    })
  }

  const badQueries: [query: string, expected: RegExp, found: string][] = [
    ['/candles?instrument=BINANCE:BTCUSDT&timeframe=7m', /timeframe: one of 1s, 1m/, '"7m"'],
    ['/candles?instrument=BINANCE:BTCUSDT', /timeframe: .*required/, 'nothing'],
    ['/candles?instrument=btc&timeframe=1m', /instrument: must match pattern/, '"btc"'],
    ['/candles?instrument=BINANCE:BTCUSDT&timeframe=1m&limit=5001', /limit: must be <= 5000/, '5001'],
    ['/orders?limit=0', /limit: must be >= 1/, '0'],
    ['/orders?limit=many', /limit: must be integer/, '"many"'],
    ['/orders?limt=5', /limt: must NOT have additional properties/, '{"limt":"5","limit":50}'],
  ]
  for (const [path, expected, found] of badQueries) {
    it(`refuses GET ${path} with what was expected and found`, async () => {
      const answer = await call(`${url}/api/v1${path}`)
      assert.equal(answer.status, 400)
      assert.match(answer.type, /^application\/problem\+json/)
      assert.equal(answer.json.code, 'BAD_REQUEST')
      assert.equal(answer.json.status, 400)
      assert.match(answer.json.expected, expected)
      assert.equal(answer.json.found, found)
    })
  }

  it('begins a collection of candles, tells how far it is, and ends it', async () => {
    const post = (path: string, body: object) =>
      call(`${url}/api/v1${path}`, { method: 'POST', headers: JSON_BODY, body: JSON.stringify(body) })
    const begun = await post('/collections', { venue: 'KRX', markets: ['KOSPI'], from: '2026-01-02', timeframe: '1d' })
    assert.deepEqual([begun.status, begun.json.data[0].state], [200, 'running'])
    const busy = await post('/collections', { venue: 'KRX' })
    assert.deepEqual([busy.status, busy.json.code], [409, 'REFUSED'])
    assert.equal((await call(`${url}/api/v1/collections`)).json.data[0].total, 2882)
    assert.equal((await post('/collections/KRX/cancel', {})).json.data[0].state, 'cancelled')
    const bad = await post('/collections', { from: 'yesterday' })
    assert.deepEqual([bad.status, bad.json.code], [400, 'BAD_REQUEST'])
  })

  for (const host of ['evil.example', '127.0.0.1:1', 'localhost', '127.0.0.1.evil.example:80']) {
    it(`refuses a request for the foreign host ${host}`, async () => {
      const answer = await call(`${url}/api/v1/status`, { headers: { host } })
      assert.equal(answer.status, 421)
      assert.equal(answer.json.code, 'FOREIGN_HOST')
      assert.equal(answer.json.found, host)
    })
  }

  it('answers under localhost and the loopback addresses with its own port', async () => {
    const port = new URL(url).port
    for (const name of ['127.0.0.1', 'localhost', 'LOCALHOST', '[::1]']) {
      const answer = await call(`${url}/health`, { headers: { host: `${name}:${port}` } })
      assert.equal(answer.status, 200, name)
    }
  })

  for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1:1', 'http://localhost']) {
    it(`refuses a request from the foreign origin ${origin}, and nothing is halted`, async () => {
      const before = ports.commands.length
      const headers = { ...JSON_BODY, origin }
      const answer = await call(`${url}/api/v1/halt`, { method: 'POST', headers, body: '{}' })
      assert.equal(answer.status, 403)
      assert.equal(answer.json.code, 'FOREIGN_ORIGIN')
      assert.equal(ports.commands.length, before)
    })
  }

  for (const type of [undefined, 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonp']) {
    it(`refuses a halt whose content type is ${type ?? 'missing'}`, async () => {
      const before = ports.commands.length
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      const answer = await call(`${url}/api/v1/halt`, { method: 'POST', headers, body: '{}' })
      assert.equal(answer.status, 415)
      assert.equal(answer.json.code, 'JSON_REQUIRED')
      assert.equal(ports.commands.length, before)
    })
  }

  it('books an adjustment for the account of its path, and refuses one that can be none', async () => {
    const path = `${url}/api/v1/accounts/sim.binance.main/adjustments`
    const said = { asset: 'USDT', amount: '-12.5', reason: 'withdrawal', words: 'to the bank' }
    const post = (body: object, to = path) =>
      call(to, { method: 'POST', headers: JSON_BODY, body: JSON.stringify(body) })
    assert.equal((await post(said)).json.data.outcome, 'booked')
    const command = { command: 'adjust', account: 'sim.binance.main', ...said, by: 'dashboard' }
    assert.deepEqual(ports.commands.splice(0), [command])
    for (const [change, expected] of [
      [{ amount: '1e3' }, /amount: must match pattern/],
      [{ reason: 'gift' }, /one of deposit, withdrawal/],
      [{ words: '' }, /words: must NOT have fewer/],
      [{ more: 1 }, /more/],
    ] as const) {
      const refused = await post({ ...said, ...change })
      assert.equal(refused.status, 400, JSON.stringify(change))
      assert.match(refused.json.detail, expected)
    }
    assert.equal((await post(said, `${url}/api/v1/accounts/nobody/adjustments`)).status, 400)
    assert.deepEqual(ports.commands, [])
  })

  it('halts with the given reason and resumes, in the name of the dashboard', async () => {
    const halt = { method: 'POST', headers: { ...JSON_BODY, origin: url }, body: '{"reason":"news"}' }
    const halted = await call(`${url}/api/v1/halt`, halt)
    assert.equal(halted.status, 200)
    assert.equal(halted.json.data.tradingState, 'halted')
    assert.equal(halted.json.data.cancelled, 1)
    const resumed = await call(`${url}/api/v1/resume`, { method: 'POST', headers: JSON_BODY, body: '{}' })
    assert.equal(resumed.json.data.tradingState, 'active')
    assert.deepEqual(ports.commands, [
      { command: 'halt', reason: 'news', by: 'dashboard', state: 'halted' },
      { command: 'resume', by: 'dashboard' },
    ])
  })

  it('halts one strategy, or lets it only reduce, and resumes it; it knows no other name and no other state', async () => {
    const post = (path: string, body: object) =>
      call(`${url}/api/v1/${path}`, { method: 'POST', headers: JSON_BODY, body: JSON.stringify(body) })
    const before = ports.commands.length
    const halted = await post('strategies/ema-btc/halt', { reason: 'news' })
    assert.deepEqual([halted.status, halted.json.data.tradingState, halted.json.data.cancelled], [200, 'halted', 1])
    const reducing = await post('strategies/ema-btc/halt', { state: 'reducing' })
    assert.deepEqual([reducing.status, reducing.json.data.tradingState], [200, 'reducing'])
    const { tradingState, strategies } = (await call(`${url}/api/v1/status`)).json.data
    assert.equal(tradingState, 'active')
    assert.deepEqual(
      strategies.map((one: Record<string, unknown>) => [one['instance'], one['tradingState']]),
      [
        ['ema-btc', 'reducing'],
        ['breakout-samsung', undefined],
      ],
    )
    const resumed = await post('strategies/ema-btc/resume', {})
    assert.deepEqual(
      [resumed.status, resumed.json.data.state, resumed.json.data.tradingState],
      [200, 'running', 'active'],
    )
    const by = { by: 'dashboard', instance: 'ema-btc' }
    assert.deepEqual(ports.commands.slice(before), [
      { command: 'halt', ...by, reason: 'news', state: 'halted' },
      { command: 'halt', ...by, reason: 'reducing from the dashboard', state: 'reducing' },
      { command: 'resume', ...by },
    ])
    for (const [path, body, status] of [
      ['strategies/nobody/halt', {}, 404],
      ['strategies/nobody/resume', {}, 404],
      ['strategies/ema-btc/halt', { state: 'active' }, 400],
      ['halt', { state: 'unknown' }, 400],
    ] as const) {
      assert.equal((await post(path, body)).status, status, path)
    }
    assert.equal(ports.commands.length, before + 3)
  })

  it('refuses a halt of a strategy from a foreign origin', async () => {
    const before = ports.commands.length
    const headers = { ...JSON_BODY, origin: 'https://evil.example' }
    const answer = await call(`${url}/api/v1/strategies/ema-btc/halt`, { method: 'POST', headers, body: '{}' })
    assert.deepEqual([answer.status, answer.json.code], [403, 'FOREIGN_ORIGIN'])
    assert.equal(ports.commands.length, before)
  })

  it('starts and stops a strategy instance by its name, and knows no other', async () => {
    const asked = { method: 'POST', headers: JSON_BODY, body: '{}' }
    for (const [verb, state] of [
      ['start', 'running'],
      ['stop', 'stopped'],
    ] as const) {
      const done = await call(`${url}/api/v1/strategies/ema-btc/${verb}`, asked)
      assert.deepEqual([done.status, done.json.data.state], [200, state])
      const unknown = await call(`${url}/api/v1/strategies/nobody/${verb}`, asked)
      assert.deepEqual([unknown.status, unknown.json.code], [404, 'NOT_FOUND'])
      const headers = { ...JSON_BODY, origin: 'https://evil.example' }
      const foreign = await call(`${url}/api/v1/strategies/ema-btc/${verb}`, { ...asked, headers })
      assert.deepEqual([foreign.status, foreign.json.code], [403, 'FOREIGN_ORIGIN'])
    }
  })

  it('refuses a body that is not JSON, or has unknown fields, with a problem document', async () => {
    for (const body of ['{', '', '{"reson":"x"}', '[]']) {
      const answer = await call(`${url}/api/v1/halt`, { method: 'POST', headers: JSON_BODY, body })
      assert.equal(answer.status, 400, body)
      assert.equal(answer.json.code, 'BAD_REQUEST')
    }
  })

  it('refuses a body above its bound', async () => {
    const body = JSON.stringify({ reason: 'x'.repeat(20_000) })
    const answer = await call(`${url}/api/v1/halt`, { method: 'POST', headers: JSON_BODY, body })
    assert.equal(answer.status, 413)
    assert.equal(answer.json.code, 'BODY_TOO_LARGE')
  })

  it('says nothing of the cause outside when a port fails, and is down in health', async () => {
    ports.failure = new Error('password=1234')
    const answer = await call(`${url}/api/v1/status`)
    const health = await call(`${url}/health`)
    ports.failure = undefined
    assert.equal(answer.status, 500)
    assert.equal(answer.json.code, 'INTERNAL')
    assert.doesNotMatch(answer.text, /1234/)
    assert.equal(health.status, 503)
    assert.deepEqual(health.json, { success: false, data: { status: 'down' } })
  })

  it('says up in health and nothing more', async () => {
    assert.deepEqual((await call(`${url}/health`)).json, { success: true, data: { status: 'up' } })
  })

  it('says below /api why a light is not green', async () => {
    const { json } = await call(`${url}/api/v1/health`)
    assert.equal(json.success, true)
    assert.equal(json.data.status, 'degraded')
    const late = json.data.services.find(({ name }: { name: string }) => name === 'kis-service')
    assert.deepEqual(late, { name: 'kis-service', state: 'starting', reason: 'connecting to the stream' })
  })

  it('answers an unknown path below /api with a problem document', async () => {
    const answer = await call(`${url}/api/v1/nothing`, { headers: { accept: 'text/html' } })
    assert.equal(answer.status, 404)
    assert.equal(answer.json.code, 'NOT_FOUND')
    assert.equal(answer.json.instance, '/api/v1/nothing')
  })

  it('sends the security headers with every answer', async () => {
    for (const path of ['/', '/api/v1/status', '/nothing.js']) {
      const { headers } = await call(`${url}${path}`)
      assert.match(String(headers['content-security-policy']), /script-src 'self';.*frame-ancestors 'none'/)
      assert.doesNotMatch(String(headers['content-security-policy']), /unsafe/)
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin')
    }
  })

  it('says how to build the web app when there is none', async () => {
    const answer = await call(`${url}/`)
    assert.equal(answer.status, 200)
    assert.match(answer.text, /nx build web-app/)
  })
})

describe('api gateway with a built web app', () => {
  let root: string
  let gateway: ApiGateway
  let url: string

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'web-root-'))
    mkdirSync(join(root, 'assets'))
    writeFileSync(join(root, 'index.html'), '<title>the page</title>')
    writeFileSync(join(root, 'assets', 'index-abc.js'), 'let x')
    writeFileSync(join(root, '.secret'), 'hidden')
    gateway = createApiGateway({ ports: new FakePorts(), port: 0, webRoot: root, log: silentLogger, mode: 'sim' })
    url = (await gateway.start()).url
  })
  after(async () => {
    await gateway.stop()
    rmSync(root, { recursive: true })
  })

  it('serves the page at / and under unknown page paths', async () => {
    for (const path of ['/', '/orders', '/a/b']) {
      const answer = await call(`${url}${path}`, { headers: { accept: 'text/html' } })
      assert.equal(answer.status, 200, path)
      assert.match(answer.text, /the page/)
      assert.equal(answer.headers['cache-control'], 'no-cache')
    }
  })

  it('serves hashed assets for keeps, and neither hidden nor missing files nor a parent folder', async () => {
    const asset = await call(`${url}/assets/index-abc.js`)
    assert.equal(asset.status, 200)
    assert.match(String(asset.headers['cache-control']), /immutable/)
    for (const path of ['/.secret', '/assets/none.js', '/..%2f..%2fetc/passwd', '/%2e%2e/%2e%2e/etc/passwd']) {
      const answer = await call(`${url}${path}`)
      assert.ok(answer.status >= 400, path)
      assert.doesNotMatch(answer.text, /hidden|root:/)
    }
  })
})
