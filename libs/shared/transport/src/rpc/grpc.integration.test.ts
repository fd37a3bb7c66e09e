/** What only a network brings: deadlines, repetitions, a server that comes and goes, health, cancellation. */
import assert from 'node:assert/strict'
import { connect, constants } from 'node:http2'
import { afterEach, describe, it } from 'node:test'
import { Client, credentials, loadPackageDefinition, status, type ServiceError } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { IDEMPOTENT, RpcError, type OrderExecutionApi } from '@jts/contracts'
import { silentLogger } from '@jts/runtime'
import { freePort } from '@jts/servers/ports'
import {
  orderExecutionClient,
  portfolioClient,
  riskManagementClient,
  RpcConnection,
  collectionClient,
  strategyClient,
  type CallOptions,
  type RpcClient,
  type RpcClientOptions,
} from './grpc-client.ts'
import { startRpcServer, type RpcServer } from './grpc-server.ts'
import { said, ScriptedApis, type Apis } from './scripted-apis.ts'

const open: { stop?(): Promise<void>; close?(): void }[] = []

afterEach(async () => {
  for (const one of open.splice(0).reverse()) {
    one.close?.()
    await one.stop?.()
  }
})

async function serve(scripted: ScriptedApis, port: number): Promise<RpcServer> {
  const { services } = scripted
  // Longer than what is asserted of a stop.
  const server = await startRpcServer({ host: '127.0.0.1', port, services, log: silentLogger, stopMs: 30_000 })
  open.push(server)
  return server
}

function connected(port: number, options: Partial<RpcClientOptions> = {}): RpcConnection {
  const connection = new RpcConnection({ address: `127.0.0.1:${port}`, ...options })
  open.push(connection)
  return connection
}

type Clients = { [Name in keyof Apis]: RpcClient<Apis[Name]> }

function clients(connection: RpcConnection): Clients {
  return {
    risk: riskManagementClient(connection),
    portfolio: portfolioClient(connection),
    orders: orderExecutionClient(connection),
    strategy: strategyClient(connection),
    collection: collectionClient(connection),
  }
}

type Any = Record<string, (request: object, options?: CallOptions) => Promise<object>>

async function started(options: Partial<RpcClientOptions> = {}) {
  const scripted = new ScriptedApis()
  // Of nobody else, while nobody listens there.
  const server = await serve(scripted, await freePort())
  const connection = connected(server.port, options)
  await connection.ready()
  return { scripted, server, connection, apis: clients(connection) }
}

const never = (): Promise<never> => new Promise<never>(() => undefined)
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

async function until(condition: () => boolean, ms = 60_000): Promise<void> {
  for (const end = Date.now() + ms; !condition() && Date.now() < end;) await sleep(2)
  assert.ok(condition(), 'waited in vain')
}

const LIST = { account: '', openOnly: false, limit: 0, orderId: '' }
const ACTIVE = { state: 'active', version: 1, reason: '', accounts: [], strategies: [] }

describe('a deadline', () => {
  for (const [name, options, call] of [
    ['of the connection', { deadlineMs: 2000 }, {}],
    ['of one call', {}, { deadlineMs: 2000 }],
  ] as const) {
    it(`${name} ends a slow call with DEADLINE_EXCEEDED, and its handler is told`, async () => {
      const { scripted, apis } = await started(options)
      let told = false
      scripted.answer = (_method, _request, signal) => {
        signal!.addEventListener('abort', () => (told = true))
        return never()
      }
      const begun = performance.now()
      await assert.rejects(apis.orders.listOrders(LIST, call), { name: 'RpcError', code: 'DEADLINE_EXCEEDED' })
      assert.ok(performance.now() - begun < 4900, 'the deadline that nobody has set is 5 s')
      await until(() => told)
      assert.equal(scripted.calls.length, 1, 'a call that ran out of time is not repeated')
    })
  }

  it('that ends during an attempt tells why the attempts before it failed', async () => {
    const { scripted, apis } = await started()
    scripted.answer = () =>
      scripted.calls.length < 3 ? Promise.reject(new RpcError('UNAVAILABLE', 'not yet leader')) : never()
    await assert.rejects(apis.orders.listOrders(LIST, { deadlineMs: 4000 }), {
      code: 'DEADLINE_EXCEEDED',
      message: /not yet leader/,
    })
  })

  it('counts every attempt, and the last reason is told', async () => {
    const { scripted, apis } = await started()
    scripted.answer = () => Promise.reject(new RpcError('UNAVAILABLE', 'not yet leader'))
    await assert.rejects(apis.orders.listOrders(LIST, { deadlineMs: 4000 }), {
      code: 'DEADLINE_EXCEEDED',
      message: /not yet leader/,
    })
    assert.ok(scripted.calls.length > 1)
  })
})

describe('an answer that was lost', () => {
  const every = Object.entries(IDEMPOTENT).flatMap(([api, methods]) =>
    Object.entries(methods).map(([method, isIdempotent]) => ({ api: api as keyof Apis, method, isIdempotent })),
  )
  for (const { api, method, isIdempotent } of every.filter(({ method }) => method !== 'streamPositionUpdates')) {
    it(`of ${api}.${method} is ${isIdempotent ? 'asked for again' : 'never asked for again'}`, async () => {
      const { scripted, apis } = await started()
      const one = said.find((example) => example.api === api && example.method === method)!
      scripted.answer = () =>
        scripted.calls.length < 3
          ? Promise.reject(new RpcError('UNAVAILABLE', 'going down'))
          : Promise.resolve(one.answer)
      const asked = (apis[api] as unknown as Any)[method]!(one.request)
      if (isIdempotent) await asked
      else await assert.rejects(asked, { code: 'UNAVAILABLE', message: 'going down' })
      assert.equal(scripted.count(`${api}.${method}`), isIdempotent ? 3 : 1)
    })
  }

  it('is not asked for again with waitForReady: false', async () => {
    const { scripted, apis } = await started()
    scripted.answer = () => Promise.reject(new RpcError('UNAVAILABLE', 'going down'))
    await assert.rejects(apis.orders.listOrders(LIST, { waitForReady: false }), { code: 'UNAVAILABLE' })
    assert.equal(scripted.calls.length, 1)
  })

  for (const code of ['INTERNAL', 'INVALID_ARGUMENT', 'FAILED_PRECONDITION', 'DEADLINE_EXCEEDED'] as const) {
    it(`is not the same as an answer ${code}: that stands`, async () => {
      const { scripted, apis } = await started()
      scripted.answer = () => Promise.reject(new RpcError(code, 'no'))
      await assert.rejects(apis.orders.listOrders(LIST), { code, message: 'no' })
      assert.equal(scripted.calls.length, 1)
    })
  }
})

describe('a server that is not there', () => {
  it('lets a call that may not be repeated fail at once; nothing is sent when it comes back', async () => {
    const { scripted, server, connection, apis } = await started()
    await server.stop()
    await until(() => connection.state === 'down')
    const begun = performance.now()
    await assert.rejects(apis.orders.halt({ account: '', reason: '', by: '', strategy: '', state: '' }), {
      code: 'UNAVAILABLE',
    })
    assert.ok(performance.now() - begun < 4000)
    await serve(scripted, server.port)
    await connection.ready()
    assert.equal(scripted.calls.length, 0)
  })

  it('lets such a call wait with waitForReady: true', async () => {
    const { scripted, server, connection, apis } = await started()
    await server.stop()
    await until(() => connection.state === 'down')
    scripted.answer = () => Promise.resolve({ accepted: true, message: '' })
    const asked = apis.orders.cancelOrder({ orderId: 'x' }, { waitForReady: true })
    await serve(scripted, server.port)
    assert.equal((await asked).accepted, true)
    assert.equal(scripted.calls.length, 1)
  })

  it('lets a query wait until it is back', async () => {
    const { scripted, server, apis } = await started()
    scripted.answer = () => Promise.resolve(ACTIVE)
    await server.stop()
    const asked = apis.orders.getTradingState({})
    await sleep(150)
    await serve(scripted, server.port)
    assert.equal((await asked).state, 'active')
  })

  it('lets a query run into its deadline when it does not come back', async () => {
    const { server, apis } = await started()
    await server.stop()
    await assert.rejects(apis.orders.getTradingState({}, { deadlineMs: 150 }), { code: 'DEADLINE_EXCEEDED' })
  })

  it('is seen as down, and as up when it is back', async () => {
    const { scripted, server, connection } = await started()
    const seen: string[] = [connection.state]
    const off = connection.onState((state) => seen.push(state))
    await server.stop()
    await until(() => connection.state === 'down')
    await assert.rejects(connection.ready(50), { code: 'DEADLINE_EXCEEDED' })
    await serve(scripted, server.port)
    await connection.ready()
    off()
    connection.close()
    assert.deepEqual(seen, ['up', 'down', 'up'])
    assert.equal(connection.state, 'down')
  })

  it('breaks a stream of updates, which does not begin again by itself', async () => {
    const { scripted, server, apis } = await started()
    scripted.updates = async function* (signal) {
      yield { position: undefined, timeEventUs: 1 }
      await new Promise((done) => signal.addEventListener('abort', done))
    }
    const seen: number[] = []
    const read = async (): Promise<void> => {
      for await (const one of apis.portfolio.streamPositionUpdates({}, new AbortController().signal)) {
        seen.push(one.timeEventUs)
        void server.stop()
      }
    }
    await assert.rejects(read(), { name: 'RpcError', code: 'UNAVAILABLE' })
    assert.deepEqual(seen, [1])
  })
})

it('a server that stops does not wait for its streams, and lets calls end', async () => {
  const { scripted, server, apis } = await started()
  const end = new AbortController()
  scripted.updates = async function* (signal) {
    yield { position: undefined, timeEventUs: 1 }
    await new Promise((done) => signal.addEventListener('abort', done))
  }
  scripted.answer = async () => {
    await sleep(50)
    return ACTIVE
  }
  const updates = apis.portfolio.streamPositionUpdates({}, end.signal)[Symbol.asyncIterator]()
  await updates.next()
  const call = apis.orders.getTradingState({})
  await until(() => scripted.calls.length === 1)
  const begun = performance.now()
  await server.stop()
  assert.ok(performance.now() - begun < 25_000)
  assert.equal((await call).state, 'active')
  // Ended by the server, and not by a link that was given up a while later.
  await assert.rejects(updates.next(), { code: 'UNAVAILABLE', message: 'the service is stopping' })
})

describe('a caller that gives up', () => {
  it('gets CANCELLED, and the handler is told', async () => {
    const { scripted, apis } = await started()
    let told = false
    scripted.answer = (_method, _request, signal) => {
      signal!.addEventListener('abort', () => (told = true))
      return never()
    }
    const end = new AbortController()
    const call = apis.orders.listOrders(LIST, { signal: end.signal })
    await until(() => scripted.calls.length === 1)
    end.abort()
    await assert.rejects(call, { name: 'RpcError', code: 'CANCELLED' })
    await until(() => told)
  })

  it('before it began sends nothing', async () => {
    const { scripted, apis } = await started()
    await assert.rejects(apis.orders.listOrders(LIST, { signal: AbortSignal.abort() }), { code: 'CANCELLED' })
    assert.equal(scripted.calls.length, 0)
  })

  it('between two attempts sends no further one', async () => {
    const { scripted, apis } = await started()
    const end = new AbortController()
    scripted.answer = () => {
      end.abort()
      return Promise.reject(new RpcError('UNAVAILABLE', 'going down'))
    }
    await assert.rejects(apis.orders.listOrders(LIST, { signal: end.signal }))
    await sleep(100)
    assert.equal(scripted.calls.length, 1)
  })

  it('by closing the connection ends every call, open and new', async () => {
    const { scripted, connection, apis } = await started()
    scripted.answer = never
    const calls = [apis.orders.listOrders(LIST), apis.orders.cancelOrder({ orderId: 'x' })]
    await until(() => scripted.calls.length === 2)
    connection.close()
    connection.close()
    for (const call of [...calls, apis.orders.listOrders(LIST)]) await assert.rejects(call, { code: 'CANCELLED' })
    const updates = apis.portfolio.streamPositionUpdates({}, new AbortController().signal)
    await assert.rejects(updates[Symbol.asyncIterator]().next(), { code: 'CANCELLED' })
  })
})

describe('health', () => {
  it('is checked for the server and each service', async () => {
    const { server, connection } = await started()
    assert.equal(await connection.check(), 'serving')
    assert.equal(await connection.check('jts.orders.v1.OrderExecutionService'), 'serving')
    assert.equal(await connection.check('Nobody'), 'unknown')
    server.setServing(false)
    assert.equal(await connection.check('jts.orders.v1.OrderExecutionService'), 'not-serving')
  })

  it('is watched: each change, and the end', async () => {
    const { server, connection } = await started()
    const seen: string[] = []
    for await (const found of connection.watch('', new AbortController().signal)) {
      seen.push(found)
      if (seen.length === 1) server.setServing(false)
      if (seen.length === 2) server.setServing(true)
      if (seen.length === 3) void server.stop()
    }
    assert.deepEqual(seen, ['serving', 'not-serving', 'serving', 'not-serving'])
  })
})

it("a handler's own mistake is told without its inside", async () => {
  const { scripted, apis } = await started()
  scripted.answer = () => Promise.reject(new TypeError('cannot read secret of undefined'))
  await assert.rejects(apis.orders.listOrders(LIST), {
    code: 'INTERNAL',
    message: 'internal error; the service log tells more',
  })
})

it('an error whose message repeats a huge request still arrives, cut', async () => {
  const { scripted, apis } = await started()
  scripted.answer = () => Promise.reject(new RpcError('INVALID_ARGUMENT', `symbol: found ${'가'.repeat(1_000_000)}`))
  await assert.rejects(apis.orders.listOrders(LIST), {
    code: 'INVALID_ARGUMENT',
    message: /^symbol: found 가{100}.*…$/,
  })
})

it('bytes that are no request are refused, and the server goes on', async () => {
  const { server, apis, scripted } = await started()
  const raw = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure())
  const error = await new Promise<ServiceError | null>((done) => {
    raw.makeUnaryRequest(
      '/jts.risk.v1.RiskManagementService/CheckTradingRisk',
      (bytes: Buffer) => bytes,
      (bytes) => bytes,
      Buffer.from([0xff, 0xff, 0xff]),
      done,
    )
  })
  raw.close()
  assert.equal(error?.code, status.INTERNAL)
  assert.equal(scripted.calls.length, 0)
  scripted.answer = () => Promise.resolve(ACTIVE)
  assert.equal((await apis.orders.getTradingState({})).state, 'active')
})

it('a request that is not gRPC is refused, and the server goes on', async () => {
  const { server, apis, scripted } = await started()
  const session = connect(`http://127.0.0.1:${server.port}`)
  const stream = session.request({ ':method': 'POST', ':path': '/x', 'content-type': 'text/plain' })
  const code = await new Promise((done) => stream.on('response', (headers) => done(headers[':status'])))
  assert.equal(code, constants.HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE)
  session.destroy()
  scripted.answer = () => Promise.resolve(ACTIVE)
  assert.equal((await apis.orders.getTradingState({})).state, 'active')
})

it('reflection names the services', async () => {
  const { server } = await started()
  const file = import.meta
    .resolve('@grpc/reflection')
    .replace(/src\/index\.js$/, 'proto/grpc/reflection/v1/reflection.proto')
  const { grpc } = loadPackageDefinition(loadSync(new URL(file).pathname)) as any
  const reflection = new grpc.reflection.v1.ServerReflection(`127.0.0.1:${server.port}`, credentials.createInsecure())
  const call = reflection.ServerReflectionInfo()
  const answer = new Promise<any>((done, fail) => call.on('data', done).on('error', fail))
  call.write({ listServices: '' })
  const names = (await answer).listServicesResponse.service.map((one: { name: string }) => one.name)
  call.end()
  reflection.close()
  assert.ok(names.includes('jts.risk.v1.RiskManagementService'), String(names))
})

describe('without TLS', () => {
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.org']) {
    it(`nobody listens on ${host}, nor calls it`, async () => {
      const said = { message: new RegExp(`plain text: expected a loopback address, or TLS`) }
      await assert.rejects(startRpcServer({ host, port: 0, services: [], log: silentLogger }), said)
      assert.throws(() => new RpcConnection({ address: `${host}:50051` }), said)
    })
  }

  for (const host of ['127.0.0.1', '127.0.0.2', 'localhost']) {
    it(`${host} is served and called`, async () => {
      const scripted = new ScriptedApis()
      scripted.answer = () => Promise.resolve(ACTIVE)
      const server = await startRpcServer({ host, port: 0, services: scripted.services, log: silentLogger })
      open.push(server)
      const connection = new RpcConnection({ address: `${host}:${server.port}` })
      open.push(connection)
      const orders: OrderExecutionApi = orderExecutionClient(connection)
      assert.equal((await orders.getTradingState({})).state, 'active')
    })
  }

  it('an address without a port is refused', () => {
    assert.throws(() => new RpcConnection({ address: '127.0.0.1' }), /expected an address such as/)
  })
})
