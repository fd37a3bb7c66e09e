/** gRPC over links that break: cut, stalled, slow, refused; and a service that is killed and started again. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, describe, it } from 'node:test'
import { RiskCheckRequest, type RiskCheckResponse } from '@jts/contracts/risk-api'
import { silentLogger } from '@jts/runtime'
import { runJts, sleep, startJts, type JtsProcess } from '@jts/testkit'
import { TcpProxy } from '@jts/testkit/tcp-proxy'
import { startRpcServer } from '@jts/transport'
import {
  orderExecutionClient,
  portfolioClient,
  riskManagementClient,
  RpcConnection,
  streamedRiskManagementClient,
} from '@jts/transport/rpc/grpc-client'
import { said, ScriptedApis } from '@jts/transport/rpc/scripted-apis'

const folder = mkdtempSync(join(tmpdir(), 'jts-links-'))
const open: (() => Promise<unknown> | undefined)[] = []

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})
after(() => rmSync(folder, { recursive: true, force: true }))

/** An answer later than this is silence: longer than a busy machine keeps a process waiting. */
const KEEP_ALIVE = { timeMs: 100, timeoutMs: 400 }
/** For a link that must stand, however long this process itself stands still. */
const PATIENT = { ...KEEP_ALIVE, timeoutMs: 10_000 }
const ACTIVE = { state: 'active', version: 1, reason: '', accounts: [], strategies: [] }
const [{ request, answer }] = said
const signals = (count: number): string[] => Array.from({ length: count }, (_, n) => `signal-${n}`)

async function until(condition: () => boolean, ms = 30_000): Promise<void> {
  for (const end = Date.now() + ms; !condition() && Date.now() < end;) await sleep(2)
  assert.ok(condition(), 'waited in vain')
}

/** A scripted server, with a proxy before it, with a client before that. */
async function linked(deadlineMs = 10_000, keepAlive = KEEP_ALIVE) {
  const scripted = new ScriptedApis()
  const { services } = scripted
  const server = await startRpcServer({
    host: '127.0.0.1',
    port: 0,
    services,
    log: silentLogger,
    keepAlive,
  })
  open.push(() => server.stop())
  const proxy = await TcpProxy.start({ port: server.port })
  open.push(() => proxy.close())
  const connection = new RpcConnection({ address: proxy.address, keepAlive, deadlineMs })
  open.push(() => {
    connection.close()
    return undefined
  })
  await connection.ready()
  return { scripted, proxy, connection, orders: orderExecutionClient(connection) }
}

describe('a half-open link', () => {
  for (const directions of [['up', 'down'], ['up'], ['down']] as const) {
    it(`silent ${directions.join(' and ')}, is noticed by pings, also when nobody calls`, async () => {
      const { proxy, connection, orders, scripted } = await linked()
      scripted.answer = () => Promise.resolve(ACTIVE)
      proxy.stall(...directions)
      // TCP itself would say nothing for a quarter of an hour.
      await until(() => connection.state === 'down')
      await assert.rejects(
        orders.halt({ account: '', reason: '', by: '', strategy: '', state: '' }, { deadlineMs: 100 }),
      )
      assert.equal(scripted.count('orders.halt'), 0)
      proxy.cut()
      proxy.flow()
      await connection.ready()
      assert.equal((await orders.getTradingState({})).state, 'active')
    })
  }

  it('does not hold a query: it is asked again on the next link', async () => {
    const { proxy, connection, orders, scripted } = await linked()
    scripted.answer = () => Promise.resolve(ACTIVE)
    proxy.stall('down')
    const asked = orders.getTradingState({})
    await until(() => connection.state === 'down')
    proxy.cut()
    proxy.flow()
    assert.equal((await asked).state, 'active')
    assert.equal(scripted.calls.length, 2)
  })

  it('ends a call that may not be repeated with UNAVAILABLE, and it is not sent again', async () => {
    const { proxy, connection, orders, scripted } = await linked()
    scripted.answer = () => Promise.resolve({ accepted: true, message: '' })
    proxy.stall('down')
    await assert.rejects(orders.cancelOrder({ orderId: 'x' }), { name: 'RpcError', code: 'UNAVAILABLE' })
    proxy.cut()
    proxy.flow()
    await connection.ready()
    await sleep(100)
    assert.equal(scripted.calls.length, 1)
  })

  it('breaks a stream of updates on both sides', async () => {
    const { proxy, connection, scripted } = await linked()
    let isLeft = false
    scripted.updates = async function* (signal) {
      yield { position: undefined, timeEventUs: 1 }
      await new Promise((done) => signal.addEventListener('abort', done))
      isLeft = true
    }
    const updates = portfolioClient(connection).streamPositionUpdates({}, new AbortController().signal)
    const reader = updates[Symbol.asyncIterator]()
    await reader.next()
    const next = assert.rejects(reader.next(), { name: 'RpcError', code: 'UNAVAILABLE' })
    proxy.stall()
    await next
    await until(() => isLeft)
  })
})

it('a slow link only takes longer', async () => {
  const { proxy, orders, scripted, connection } = await linked(10_000, PATIENT)
  scripted.answer = () => Promise.resolve(ACTIVE)
  proxy.delay(30)
  const begun = performance.now()
  assert.equal((await orders.getTradingState({})).state, 'active')
  assert.ok(performance.now() - begun >= 60)
  await sleep(500)
  assert.equal(connection.state, 'up')
  assert.equal(proxy.accepted, 1)
})

it('a link that is refused is tried again', async () => {
  const { proxy, connection, orders, scripted } = await linked()
  scripted.answer = () => Promise.resolve(ACTIVE)
  await proxy.refuse()
  proxy.cut()
  await until(() => connection.state === 'down')
  await assert.rejects(orders.getTradingState({}, { waitForReady: false }), {
    code: 'UNAVAILABLE',
    message: /^no connection to .*ECONNREFUSED/,
  })
  const asked = orders.getTradingState({})
  await proxy.accept()
  assert.equal((await asked).state, 'active')
})

describe('risk checks on the stream', () => {
  for (const fault of ['cut', 'stall'] as const) {
    it(`whose link is ${fault} again and again are each answered once, in order of their asking`, async () => {
      const { proxy, connection, scripted } = await linked(60_000)
      const { checkTradingRisk } = streamedRiskManagementClient(connection)
      const firstAsked: string[] = []
      const seen = new Set<string>()
      scripted.answer = (_method, one) => {
        const { signalId } = one as RiskCheckRequest
        if (!seen.has(signalId)) firstAsked.push(signalId)
        seen.add(signalId)
        return Promise.resolve({ ...answer, signalId })
      }
      const answered = new Map<string, number>()
      const all = signals(6000)
      // At that very answer: more than are ever on their way at once are then still to come.
      const harmedAt = [600, 2400, 4200]
      let harmed = 0
      const checks = Promise.all(
        all.map(async (signalId) => {
          const found = await checkTradingRisk({ ...request, signalId })
          assert.equal(found.signalId, signalId)
          answered.set(signalId, (answered.get(signalId) ?? 0) + 1)
          if (answered.size !== harmedAt[harmed]) return
          harmed++
          if (fault === 'stall') {
            proxy.stall('down')
            await until(() => connection.state === 'down')
          }
          proxy.cut()
          proxy.flow()
        }),
      )
      await checks
      assert.equal(harmed, harmedAt.length)
      assert.equal(answered.size, all.length)
      assert.ok([...answered.values()].every((count) => count === 1))
      assert.deepEqual(firstAsked, all)
      assert.ok(scripted.streams >= 4, `expected a stream after each fault, found ${scripted.streams}`)
      assert.ok(scripted.calls.length > all.length, 'expected questions that were asked again')
    })
  }

  it('whose link does not come back end each at its deadline', async () => {
    const { proxy, connection, scripted } = await linked()
    scripted.answer = () => Promise.resolve(answer)
    const { checkTradingRisk } = streamedRiskManagementClient(connection)
    await checkTradingRisk(request)
    await proxy.refuse()
    proxy.cut()
    const outcomes = await Promise.allSettled(
      signals(100).map((signalId) => checkTradingRisk({ ...request, signalId }, { deadlineMs: 200 })),
    )
    for (const outcome of outcomes) {
      assert.equal(outcome.status === 'rejected' && (outcome.reason as { code: string }).code, 'DEADLINE_EXCEEDED')
    }
    await proxy.accept()
    assert.equal((await checkTradingRisk(request)).approved, true)
  })
})

describe('jts serve risk-management', () => {
  const signalRequest = (signalId: string): RiskCheckRequest =>
    RiskCheckRequest.create({
      correlationId: `c-${signalId}`,
      symbol: 'BINANCE:BTCUSDT',
      quantityText: '0.01',
      priceText: '60000',
      side: 'buy',
      orderType: 'limit',
      account: 'sim.binance.main',
      strategy: 'one',
      signalId,
    })
  const advisory = (correlationId: string): RiskCheckRequest => ({
    ...signalRequest(''),
    correlationId,
    account: '',
    currentPortfolio: { cash: 10_000, cashText: '', positions: [] },
  })

  async function serve(dataDir: string, ...more: string[]): Promise<{ service: JtsProcess; address: string }> {
    const service = startJts(['serve', 'risk-management', '--grpc-port', '0', '--data-dir', dataDir, '--json', ...more])
    open.push(async () => {
      service.child.kill('SIGKILL')
      await service.ended
    })
    return { service, address: (JSON.parse(await service.firstLine) as { address: string }).address }
  }

  function connected(address: string): RpcConnection {
    const connection = new RpcConnection({ address, deadlineMs: 60_000 })
    open.push(() => {
      connection.close()
      return undefined
    })
    return connection
  }

  it('answers the stream as it answers calls, and what is wrong with one question ends nothing', async () => {
    const connection = connected((await serve(join(folder, 'stream'))).address)
    const unary = riskManagementClient(connection)
    const streamed = streamedRiskManagementClient(connection)
    for (const question of [advisory('c-1'), { ...advisory('c-2'), quantityText: '1000' }]) {
      const [one, other] = await Promise.all([unary.checkTradingRisk(question), streamed.checkTradingRisk(question)])
      // An advisory answer is valid at the moment of its asking.
      assert.deepEqual({ ...other, validUntilUs: 0 }, { ...defined(one), validUntilUs: 0 })
    }
    const wrong = streamed.checkTradingRisk({ ...advisory('c-3'), side: 'hold' })
    const right = streamed.checkTradingRisk(advisory('c-4'))
    const alone = await unary.checkTradingRisk({ ...advisory('c-3'), side: 'hold' }).catch((error: unknown) => error)
    await assert.rejects(wrong, { name: 'RpcError', code: 'INVALID_ARGUMENT', message: (alone as Error).message })
    assert.equal((await right).approved, true)
  })

  it('killed in the middle of a thousand signals and started again answers each once, and the same', async () => {
    const dataDir = join(folder, 'killed')
    const first = await serve(dataDir)
    const proxy = await TcpProxy.start({ port: Number(first.address.split(':')[1]) })
    open.push(() => proxy.close())
    const connection = connected(proxy.address)
    // So many are asked before the first is answered: the rest is still to be asked at the kill, however fast the answers come.
    const { checkTradingRisk } = streamedRiskManagementClient(connection, { inFlightMax: 100 })
    const answered = new Map<string, RiskCheckResponse>()
    const all = signals(1000)
    const checks = Promise.all(
      all.map(async (signalId) => {
        const found = await checkTradingRisk(signalRequest(signalId))
        assert.ok(!answered.has(signalId))
        answered.set(signalId, found)
        if (answered.size === 101) first.service.child.kill('SIGKILL')
      }),
    )
    checks.catch(() => undefined)
    await first.service.ended
    const before = answered.size
    assert.ok(before > 100 && before < all.length, `expected the kill in the middle, found it at ${before}`)
    const second = await serve(dataDir)
    proxy.target = { port: Number(second.address.split(':')[1]) }
    await checks
    for (const [signalId, before] of answered) {
      const { validUntilUs, denialCode, approved } = await checkTradingRisk(signalRequest(signalId))
      assert.deepEqual([validUntilUs, denialCode, approved], [before.validUntilUs, before.denialCode, before.approved])
    }
  })

  it('speaks mutual TLS, and then answers nobody else', async () => {
    const pem = (name: string): string => join(folder, name)
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    const self = ['-days', '2', '-subj', '/CN=jts', '-addext', 'subjectAltName=IP:127.0.0.1']
    // One certificate that is its own authority serves both ends.
    execFileSync('openssl', ['req', '-x509', ...key, '-keyout', pem('k.pem'), '-out', pem('c.pem'), ...self], {
      stdio: 'ignore',
    })
    const flags = ['--tls-ca', pem('c.pem'), '--tls-cert', pem('c.pem'), '--tls-key', pem('k.pem'), '--host', '0.0.0.0']
    const { address } = await serve(join(folder, 'tls'), ...flags)
    const port = address.split(':')[1]
    const tls = { ca: pem('c.pem'), cert: pem('c.pem'), key: pem('k.pem') }
    const connection = new RpcConnection({ address: `127.0.0.1:${port}`, tls })
    open.push(() => {
      connection.close()
      return undefined
    })
    assert.equal((await riskManagementClient(connection).checkTradingRisk(advisory('c'))).approved, true)
    assert.equal((await streamedRiskManagementClient(connection).checkTradingRisk(advisory('c'))).approved, true)
    const plain = connected(`127.0.0.1:${port}`)
    const asked = riskManagementClient(plain).checkTradingRisk(advisory('c'), { waitForReady: false })
    await assert.rejects(asked, { code: 'UNAVAILABLE' })
  })

  const refused: [string, string[], RegExp][] = [
    ['an address beyond loopback without TLS', ['--host', '0.0.0.0'], /will not listen on 0\.0\.0\.0 in plain text/],
    ['some of the TLS files', ['--tls-ca', 'ca.pem'], /--tls-ca, --tls-cert and --tls-key together/],
    [
      'a TLS file that is not there',
      ['--tls-ca', 'no.pem', '--tls-cert', 'no.pem', '--tls-key', 'no.pem'],
      /no\.pem: cannot be read/,
    ],
  ]
  for (const [name, flags, expected] of refused) {
    it(`refuses ${name}`, async () => {
      const args = ['serve', 'risk-management', '--grpc-port', '0', '--data-dir', join(folder, 'refused'), ...flags]
      const { code, stderr } = await runJts(args)
      assert.equal(code, 2, stderr)
      assert.match(stderr, expected)
      assert.doesNotMatch(stderr, /\n {4}at /)
    })
  }
})

function defined(message: object): object {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value !== undefined))
}
