/** The script against a service that is well, and against each way of not being so. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { MarketDataPort } from '@jts/broker-kit'
import { parseKeys, startBrokerServer } from '@jts/broker-kit/server'
import { problem, signatureOf, type Health, type ProblemCode } from '@jts/contracts/broker-api'
import { accountId } from '@jts/model'
import { silentLogger, systemClock } from '@jts/runtime'
import { freePort } from '@jts/servers'
import { FakeBroker } from '@jts/testkit/fake-broker'
import { judgeHealth, judgeReach, type Finding } from './connectivity.ts'

const KEY = 'linux-box'
const SECRET = 'a secret of more than thirty-two letters'
const SCRIPT = join(import.meta.dirname, 'check-connectivity.ts')
const nowUs = (): number => Date.now() * 1000

const open: Server[] = []
after(() => open.forEach((server) => server.close()))

type Handler = (request: IncomingMessage, response: ServerResponse) => void

async function serve(handler: Handler): Promise<string> {
  const server = createServer(handler)
  open.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function healthy(): Health {
  return {
    status: 'up',
    reasons: [],
    service: 'creon-service',
    broker: 'creon',
    version: '0.1.0',
    contractVersion: '1.0',
    startedAtUs: nowUs(),
    timeUs: nowUs(),
    venueTimeUs: nowUs(),
    breaker: { state: 'closed', sinceUs: nowUs(), consecutiveFailures: 0 },
    session: { state: 'connected', sinceUs: nowUs() },
    streams: [],
    limits: [{ name: 'quotes', counts: 'requests', limit: 60, remaining: 58, windowUs: 15_000_000 }],
    accounts: [
      { account: 'sim.creon.main', gate: 'open', leaseEpoch: 0, tradingStateVersion: 0, ordersUnknown: 0 } as never,
    ],
  }
}

/** A service that checks the signature and answers with this health. */
const answering =
  (health: () => unknown): Handler =>
  (request, response) => {
    if (request.url === '/health') return send(response, 200, { status: 'up' })
    const { headers } = request
    const expected = signatureOf(
      {
        method: 'GET',
        target: request.url ?? '',
        body: '',
        timestampUs: String(headers['x-jts-timestamp']),
        nonce: String(headers['x-jts-nonce']),
      },
      SECRET,
    )
    const isOurs = headers['x-jts-key'] === KEY && headers['x-jts-signature'] === expected
    if (!isOurs) return send(response, 401, problem('AUTHENTICATION_FAILED', 'the signature does not fit'))
    return send(response, 200, { success: true, data: health() })
  }

const refusing =
  (code: ProblemCode, more: Record<string, unknown> = {}): Handler =>
  (request, response) =>
    request.url === '/health'
      ? send(response, 200, { status: 'up' })
      : send(response, 401, problem(code, 'as asked', more))

/** Where it is not time that is tested. */
const PATIENT = ['--timeout-ms', '60000']

type Run = { readonly code: number | null; readonly output: string }

async function check(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', SCRIPT, ...args], {
    env: { PATH: process.env['PATH'], CREON_API_KEY: KEY, CREON_API_SECRET: SECRET, ...env },
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const code = await new Promise<number | null>((done) => child.once('close', done))
  return { code, output }
}

test('a service that is well: nothing to mend', async () => {
  const { code, output } = await check([await serve(answering(healthy)), ...PATIENT])
  assert.equal(code, 0, output)
  for (const line of [
    /^ok {4}reachable/m,
    /^ok {4}key and signature/m,
    /^ok {4}clocks/m,
    /^ok {4}login/m,
    /quotes: 58 of 60/,
  ]) {
    assert.match(output, line)
  }
  assert.ok(!output.includes(SECRET))
})

test('the broker service itself is found well, and down where it says so', async () => {
  const broker = new FakeBroker(systemClock, { broker: 'creon', clientOrderIds: 'none', absenceProof: 'none' })
  const { url, stop } = await startBrokerServer({
    ...{ service: 'creon-service', version: '0', port: 0, journalFile: undefined },
    ...{ market: { capabilities: broker.capabilities } as MarketDataPort, wallClock: systemClock, log: silentLogger },
    accounts: [{ account: accountId('sim.creon.main'), broker }],
    keys: parseKeys({ keys: [{ id: KEY, secret: SECRET, right: 'read' }] }),
  })
  const { output } = await check([url, ...PATIENT])
  await stop()
  assert.match(output, /^ok {4}reachable/m)
  assert.match(output, /^ok {4}key and signature/m)
  const down = await check([await serve((_, response) => send(response, 503, { status: 'down' })), ...PATIENT])
  assert.match(down.output, /^note {2}reachable .*says that it is down/m)
})

test('host and port may come from the environment; --json is one object', async () => {
  const url = new URL(await serve(answering(healthy)))
  const { code, output } = await check(['--json', ...PATIENT], {
    CREON_API_HOST: url.hostname,
    CREON_API_PORT: url.port,
  })
  assert.equal(code, 0, output)
  assert.deepEqual((JSON.parse(output) as { ok: boolean; url: string }).url, url.origin)
})

const changed = (change: Partial<Health>): Handler => answering(() => ({ ...healthy(), ...change }))
const session = (state: Health['session']['state'], reason: string): Handler =>
  changed({ session: { state, sinceUs: nowUs(), reason } })

const TROUBLES: [situation: string, handler: Handler, code: number, said: RegExp][] = [
  ['another secret', refusing('AUTHENTICATION_FAILED'), 1, /MEND {2}key and signature .*\n.*letter for letter/],
  [
    'a clock outside the window',
    (request, response) => refusing('CLOCK_SKEW', { serverTimeUs: nowUs() - 90_000_000 })(request, response),
    1,
    /MEND {2}clocks +the service's clock is (8\d|9\d)(\.\d)? s behind this one: it refuses what differs by 30 s\n.*w32tm/,
  ],
  [
    'a clock that drifts',
    answering(() => ({ ...healthy(), timeUs: nowUs() + 9_000_000 })),
    0,
    /note {2}clocks .*ahead of this one\n.*w32tm/,
  ],
  ['a repeated request', refusing('NONCE_REUSED'), 1, /MEND {2}key and signature .*seen this very request/],
  ['a key without rights', refusing('FORBIDDEN'), 1, /MEND {2}key and signature .*\n.*right to read/],
  [
    'logged out',
    session('logged_out', 'ServerType 0'),
    1,
    /MEND {2}login at the broker +logged out: ServerType 0\n.*CREON PLUS, as administrator/,
  ],
  [
    'a window in the way',
    session('blocked', 'order confirmation'),
    1,
    /MEND {2}login at the broker +a window waits for a person: order confirmation/,
  ],
  [
    'logging in',
    session('connecting', 'nightly restart'),
    0,
    /note {2}login at the broker +logging in: nightly restart/,
  ],
  [
    'a limit used up',
    changed({ limits: [{ name: 'quotes', counts: 'requests', limit: 60, remaining: 0, windowUs: 15_000_000 }] }),
    0,
    /note {2}limits left +quotes: 0 of 60 requests in 15 s\n.*another program/,
  ],
  [
    'down, with its reason',
    changed({ status: 'down', reasons: [{ code: 'COM_LOST', message: 'COM does not answer' }] }),
    1,
    /MEND {2}the service +COM_LOST: COM does not answer/,
  ],
  [
    'an open breaker',
    changed({ breaker: { state: 'open', sinceUs: 0, consecutiveFailures: 5, reason: 'time-outs' } }),
    0,
    /note {2}the service +its breaker towards the broker is open: time-outs/,
  ],
  ['no account', changed({ accounts: [] }), 0, /note {2}the service +it holds no account/],
  [
    'an answer of another version',
    answering(() => ({ status: 'fine' })),
    1,
    /MEND {2}the service .*not as the contract says\n.*different versions/,
  ],
  [
    'something else listens',
    (_, response) => response.end('<html>hello</html>'),
    1,
    /MEND {2}reachable .*not as a broker service/,
  ],
  [
    'it takes the connection and says nothing',
    () => undefined,
    1,
    /MEND {2}reachable .*did not answer on port \d+ in time\n.*firewall/,
  ],
  ['it drops the connection', (request) => request.socket.destroy(), 1, /MEND {2}reachable .*dropped it/],
]
for (const [situation, handler, code, said] of TROUBLES) {
  test(`${situation} is said in plain words`, async () => {
    const patience = situation.includes('says nothing') ? ['--timeout-ms', '500'] : PATIENT
    const run = await check([await serve(handler), ...patience])
    assert.match(run.output, said)
    assert.equal(run.code, code, run.output)
    assert.ok(!run.output.includes(SECRET))
  })
}

test('nobody listens', async () => {
  const { code, output } = await check([`http://127.0.0.1:${await freePort()}`, ...PATIENT])
  assert.equal(code, 1)
  assert.match(output, /MEND {2}reachable .*nothing listens on port \d+\n.*start the service/)
})

test('a name that nobody knows', async () => {
  const { code, output } = await check(['http://no-such-host.invalid:8001', ...PATIENT])
  assert.equal(code, 1)
  assert.match(output, /MEND {2}reachable +(the name no-such-host\.invalid is not known here|.*cannot be asked)/)
})

test('a name server that is late is told as the name, not as a firewall', () => {
  const late = { kind: 'failure', code: 'NAME_TIMEOUT', message: 'late' } as const
  const { state, found, mend } = judgeReach('http://windows-box:8001', late)
  assert.deepEqual([state, found], ['mend', 'nobody says in time which address the name windows-box has'])
  assert.match(mend!, /its name/)
})

test('the clocks differ by what the way of the answer does not explain', () => {
  const clocks = (sentUs: number, receivedUs: number): Finding => {
    const body = { success: true, data: { ...healthy(), timeUs: 10_000_000 } }
    const findings = judgeHealth({ kind: 'answer', status: 200, body, sentUs, receivedUs }, receivedUs)
    return findings.find(({ about }) => about === 'clocks')!
  }
  assert.equal(clocks(4_000_000, 10_000_000).state, 'ok', 'it was asked long before it answered')
  assert.equal(clocks(10_000_000, 16_000_000).state, 'ok', 'its answer was long on its way')
  assert.equal(clocks(1_000_000, 7_000_000).state, 'note')
  assert.equal(clocks(13_000_000, 19_000_000).state, 'note')
})

test('another secret is refused by the signature itself', async () => {
  const asked = [await serve(answering(healthy)), ...PATIENT]
  const { code, output } = await check(asked, { CREON_API_SECRET: 'x'.repeat(40) })
  assert.equal(code, 1)
  assert.match(output, /MEND {2}key and signature +refused: the signature does not fit/)
})

test('without keys it says which variables it looked for', async () => {
  const { code, output } = await check([await serve(answering(healthy)), ...PATIENT], { CREON_API_SECRET: '' })
  assert.equal(code, 1)
  assert.match(output, /found no CREON_API_SECRET\n/)
})

for (const [args, said] of [
  [[], /expected a URL, or CREON_API_HOST; found neither/],
  [['nonsense'], /expected an address such as/],
  [['http://user:hidden@host:1'], /expected an address such as/],
  [['http://a', 'http://b'], /expected one URL, found 2/],
  [['http://a', '--timeout-ms', 'soon'], /--timeout-ms: expected a whole number/],
  [['--wrong'], /Unknown option/],
] as const) {
  test(`called with ${args.join(' ') || 'nothing'} it says how to call it`, async () => {
    const { code, output } = await check(args)
    assert.equal(code, 2)
    assert.match(output, said)
    assert.ok(!output.includes('hidden'))
  })
}
