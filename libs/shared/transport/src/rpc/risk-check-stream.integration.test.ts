/** Many risk checks on one stream: matched, in order, each with its own end. What a bad link does to it is tested in apps/jts. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { RpcError } from '@jts/contracts'
import { RiskManagementServiceService, type RiskCheckRequest } from '@jts/contracts/risk-api'
import { silentLogger } from '@jts/runtime'
import { RpcConnection, streamedRiskManagementClient } from './grpc-client.ts'
import { startRpcServer, type RpcServer } from './grpc-server.ts'
import type { RiskCheckStreamOptions } from './risk-check-stream.ts'
import { said, ScriptedApis } from './scripted-apis.ts'

const [{ request, answer }] = said
const open: { stop?(): Promise<void>; close?(): void }[] = []

afterEach(async () => {
  for (const one of open.splice(0).reverse()) {
    one.close?.()
    await one.stop?.()
  }
})

async function serve(scripted: ScriptedApis, port = 0): Promise<RpcServer> {
  const server = await startRpcServer({ host: '127.0.0.1', port, services: scripted.services, log: silentLogger })
  open.push(server)
  return server
}

async function started(options: RiskCheckStreamOptions = {}) {
  const scripted = new ScriptedApis()
  scripted.answer = (_method, asked) => Promise.resolve({ ...answer, signalId: (asked as RiskCheckRequest).signalId })
  const server = await serve(scripted)
  const connection = new RpcConnection({ address: `127.0.0.1:${server.port}`, deadlineMs: 20_000 })
  open.push(connection)
  const { checkTradingRisk } = streamedRiskManagementClient(connection, options)
  return { scripted, server, connection, check: checkTradingRisk }
}

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 10_000 && !condition(); i++) await sleep(2)
  assert.ok(condition(), 'waited in vain')
}

const signals = (count: number): string[] => Array.from({ length: count }, (_, n) => `signal-${n}`)
const asked = (scripted: ScriptedApis): string[] =>
  scripted.calls.map(({ request }) => (request as RiskCheckRequest).signalId)

it('ten thousand at once are asked in order on one stream, and each gets its own answer', async () => {
  const { scripted, check } = await started()
  const all = signals(10_000)
  const settled: string[] = []
  const found = await Promise.all(
    all.map(async (signalId) => {
      const { signalId: of } = await check({ ...request, signalId })
      settled.push(of)
      return of
    }),
  )
  assert.ok(found.every((signalId, n) => signalId === all[n]))
  assert.deepEqual(settled, all)
  assert.deepEqual(asked(scripted), all)
  assert.equal(scripted.streams, 1)
})

it('no more are on the wire than agreed; the rest wait', async () => {
  const { scripted, check } = await started({ inFlightMax: 8 })
  const answers: (() => void)[] = []
  scripted.answer = () => new Promise((done) => answers.push(() => done(answer)))
  let read = 0
  const { streamTradingRiskChecks } = scripted.risk
  scripted.risk.streamTradingRiskChecks = (requests) => streamTradingRiskChecks(counted(requests, () => read++))
  const checks = Promise.all(signals(100).map((signalId) => check({ ...request, signalId })))
  await until(() => answers.length === 1)
  await sleep(50)
  assert.ok(read <= 8, `expected at most 8 read, found ${read}`)
  scripted.answer = () => Promise.resolve(answer)
  answers[0]!()
  assert.equal((await checks).length, 100)
})

async function* counted<T>(values: AsyncIterable<T>, count: () => void): AsyncIterable<T> {
  for await (const value of values) {
    count()
    yield value
  }
}

describe('a bad question', () => {
  it('is refused alone: those around it are answered on the same stream', async () => {
    const { scripted, check } = await started()
    scripted.answer = (_method, one) => {
      const { side } = one as RiskCheckRequest
      return side === 'hold'
        ? Promise.reject(new RpcError('INVALID_ARGUMENT', 'side: expected "buy" or "sell", found "hold"'))
        : Promise.resolve(answer)
    }
    const outcomes = await Promise.allSettled(
      Array.from({ length: 100 }, (_, n) => check({ ...request, side: n % 10 === 3 ? 'hold' : 'buy' })),
    )
    for (const [n, outcome] of outcomes.entries()) {
      if (n % 10 !== 3) assert.equal(outcome.status, 'fulfilled')
      else {
        assert.equal(outcome.status, 'rejected')
        assert.ok(outcome.reason instanceof RpcError)
        assert.equal(outcome.reason.code, 'INVALID_ARGUMENT')
        assert.equal(outcome.reason.message, 'side: expected "buy" or "sell", found "hold"')
      }
    }
    assert.equal(scripted.streams, 1)
  })

  it('that cannot be written is refused here', async () => {
    const { scripted, check } = await started()
    await assert.rejects(check({ ...request, signalTimeUs: NaN }), { name: 'RpcError', code: 'INVALID_ARGUMENT' })
    await check(request)
    assert.equal(scripted.calls.length, 1)
  })

  it('that cannot be read over there fails alone, and the others are answered', async () => {
    const { check } = await started()
    // An int64 on the wire, and beyond what a number holds on the other side.
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, n) => check({ ...request, signalTimeUs: n === 20 ? 2 ** 60 : n })),
    )
    const failed = outcomes.flatMap(({ status }, n) => (status === 'rejected' ? [n] : []))
    assert.deepEqual(failed, [20])
    await check(request)
  })
})

describe('an end of its own', () => {
  it('has each question: its deadline, which others do not share', async () => {
    const { scripted, check } = await started()
    scripted.answer = async () => {
      await sleep(150)
      return answer
    }
    const late = check(request, { deadlineMs: 50 })
    const other = check({ ...request, signalId: 's-2' })
    await assert.rejects(late, { name: 'RpcError', code: 'DEADLINE_EXCEEDED' })
    await other
    await until(() => scripted.calls.length === 2)
    assert.equal(scripted.streams, 1)
  })

  it('has a question whose caller gives up, on the wire or waiting', async () => {
    const { scripted, check } = await started({ inFlightMax: 1 })
    let go: () => void = () => undefined
    scripted.answer = () => new Promise((done) => (go = () => done(answer)))
    const end = new AbortController()
    const sent = check(request, { signal: end.signal })
    const waiting = check({ ...request, signalId: 's-2' }, { signal: end.signal })
    const kept = check({ ...request, signalId: 's-3' })
    await until(() => scripted.calls.length === 1)
    end.abort()
    await assert.rejects(sent, { code: 'CANCELLED' })
    await assert.rejects(waiting, { code: 'CANCELLED' })
    scripted.answer = () => Promise.resolve(answer)
    go()
    await kept
    assert.deepEqual(asked(scripted), ['s-1', 's-3'])
    await assert.rejects(check(request, { signal: AbortSignal.abort() }), { code: 'CANCELLED' })
  })

  it('comes to all when the connection is closed', async () => {
    const { scripted, connection, check } = await started({ inFlightMax: 4 })
    scripted.answer = () => new Promise(() => undefined)
    const checks = signals(10).map((signalId) => check({ ...request, signalId }))
    await until(() => scripted.calls.length === 1)
    connection.close()
    for (const one of [...checks, check(request)]) await assert.rejects(one, { code: 'CANCELLED' })
  })
})

describe('a server', () => {
  it('that is not there yet is waited for', async () => {
    const { scripted, server, check } = await started()
    await server.stop()
    const checks = Promise.all(signals(100).map((signalId) => check({ ...request, signalId })))
    await sleep(150)
    await serve(scripted, server.port)
    assert.equal((await checks).length, 100)
    assert.deepEqual(asked(scripted), signals(100))
  })

  it('that goes and comes back answers every question, and nobody twice', async () => {
    const { scripted, server, check } = await started()
    const counts = new Map<string, number>()
    const all = signals(3000)
    // At that very question: most are then still to be asked.
    const reply = scripted.answer
    let stopped: Promise<void> | undefined
    scripted.answer = (...asked) => {
      if (scripted.calls.length > 500) stopped ??= server.stop()
      return reply(...asked)
    }
    const checks = Promise.all(
      all.map(async (signalId) => {
        const { signalId: of } = await check({ ...request, signalId })
        assert.equal(of, signalId)
        counts.set(of, (counts.get(of) ?? 0) + 1)
      }),
    )
    await until(() => stopped !== undefined)
    await stopped
    assert.ok(counts.size < all.length, 'the server stopped in the middle')
    await serve(scripted, server.port)
    await checks
    assert.deepEqual([...counts.keys()].sort(), [...all].sort())
    assert.ok([...counts.values()].every((count) => count === 1))
    assert.equal(scripted.streams, 2)
  })

  it('that does not know the stream is asked by calls of their own', async () => {
    const scripted = new ScriptedApis()
    scripted.answer = () => Promise.resolve(answer)
    const { checkTradingRisk } = scripted.risk
    const services = [{ definition: RiskManagementServiceService, handlers: { checkTradingRisk } }]
    const server = await startRpcServer({ host: '127.0.0.1', port: 0, services, log: silentLogger })
    const connection = new RpcConnection({ address: `127.0.0.1:${server.port}` })
    open.push(server, connection)
    const { checkTradingRisk: check } = streamedRiskManagementClient(connection)
    const found = await Promise.all(signals(40).map((signalId) => check({ ...request, signalId })))
    assert.equal(found.length, 40)
  })

  it('answers after its disk: many answers wait for one commit', async () => {
    const scripted = new ScriptedApis()
    scripted.answer = () => Promise.resolve(answer)
    let commits = 0
    let written = 0
    let early = 0
    const server = await startRpcServer({
      host: '127.0.0.1',
      port: 0,
      services: scripted.services,
      log: silentLogger,
      beforeAnswer: async () => {
        const until = scripted.calls.length
        await sleep(5)
        commits++
        written = Math.max(written, until)
      },
    })
    const connection = new RpcConnection({ address: `127.0.0.1:${server.port}` })
    open.push(server, connection)
    const { checkTradingRisk: check } = streamedRiskManagementClient(connection)
    let answered = 0
    await Promise.all(
      signals(400).map(async (signalId) => {
        await check({ ...request, signalId })
        if (++answered > written) early++
      }),
    )
    assert.equal(early, 0)
    assert.ok(commits < 200, `expected far fewer commits than answers, found ${commits}`)
  })
})
