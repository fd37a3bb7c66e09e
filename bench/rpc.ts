/**
 * A risk check between two threads over the loopback: one call each, and on the long stream; beside an empty handler (what
 * gRPC itself costs) and a bare TCP echo of as many bytes (what the wire costs).
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import type { RiskManagementApi } from '@jts/contracts'
import { RiskCheckRequest, RiskCheckResponse, RiskManagementServiceService } from '@jts/contracts/risk-api'
import { shippedInstrument } from '@jts/model'
import { createRiskManagement } from '@jts/risk-management'
import { MarketClock, silentLogger, systemClock } from '@jts/runtime'
import { EmbeddedBus, SqliteStore, startRpcServer } from '@jts/transport'
import { RpcConnection, riskManagementClient, streamedRiskManagementClient } from '@jts/transport/rpc/grpc-client'

type Figures = { readonly p50Us: number; readonly p99Us: number; readonly perSecond: number }
type Ways = { readonly unary: Figures; readonly streamed: Figures }

export type RpcBench = {
  readonly inFlight: number
  readonly messageBytes: number
  readonly [atOnce: `at${number}`]: {
    readonly tcpEcho: Figures
    readonly empty: Ways
    /** Judged, reserved nothing: no account is named. */
    readonly advisory: Ways
    /** Judged, kept under its signal and on disk before the answer leaves. */
    readonly durable: Ways
  }
}

const IN_FLIGHT = 64
const ACCOUNT = 'sim.binance.main'

const advisory: RiskCheckRequest = RiskCheckRequest.create({
  correlationId: 'bench-correlation-0123456789abcdef',
  symbol: 'BINANCE:BTCUSDT',
  quantityText: '0.01',
  priceText: '60000',
  side: 'buy',
  orderType: 'limit',
  currentPortfolio: { cash: 100_000, cashText: '', positions: [] },
})
const emptyAnswer = RiskCheckResponse.create({
  approved: true,
  adjustedQuantityText: '0.01',
  correlationId: advisory.correlationId,
})

/** `count` questions, `atOnce` of them open at any time. */
async function measure(count: number, atOnce: number, ask: (n: number) => Promise<unknown>): Promise<Figures> {
  const samples = new Float64Array(count)
  let next = 0
  const asker = async (): Promise<void> => {
    while (next < count) {
      const n = next++
      const begun = performance.now()
      await ask(n)
      samples[n] = (performance.now() - begun) * 1000
    }
  }
  const begun = performance.now()
  await Promise.all(Array.from({ length: atOnce }, asker))
  const perSecond = Math.round(count / ((performance.now() - begun) / 1000))
  samples.sort()
  const at = (q: number): number => Math.round(samples[Math.floor(q * count)]!)
  return { p50Us: at(0.5), p99Us: at(0.99), perSecond }
}

/** Warmed up before it is measured. */
async function warm(count: number, atOnce: number, ask: (n: number) => Promise<unknown>): Promise<Figures> {
  await measure(Math.ceil(count / 4), Math.max(atOnce, IN_FLIGHT), ask)
  return measure(count, atOnce, ask)
}

/** Answers of one size to questions of one size: the oldest waiter gets the next full answer. */
function echoOf(socket: Socket, bytes: number): () => Promise<void> {
  const message = Buffer.alloc(bytes, 1)
  const waiting: (() => void)[] = []
  let received = 0
  socket.on('data', (chunk) => {
    for (received += chunk.length; received >= bytes; received -= bytes) waiting.shift()!()
  })
  return () =>
    new Promise((done) => {
      waiting.push(done)
      socket.write(message)
    })
}

export async function benchRpc(count = 4000): Promise<RpcBench> {
  const worker = new Worker(new URL(import.meta.url))
  const [ports] = (await once(worker, 'message')) as [{ echo: number; empty: number; risk: number }]
  const socket = connect({ port: ports.echo, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  const messageBytes = RiskCheckRequest.encode(advisory).finish().length
  const echo = echoOf(socket, messageBytes)
  const connections = [ports.empty, ports.risk].map((port) => new RpcConnection({ address: `127.0.0.1:${port}` }))
  await Promise.all(connections.map((connection) => connection.ready()))
  const [empty, risk] = connections.map((connection) => ({
    unary: riskManagementClient(connection),
    streamed: streamedRiskManagementClient(connection),
  })) as [Record<keyof Ways, RiskManagementApi>, Record<keyof Ways, RiskManagementApi>]
  let signals = 0
  const durable = (): RiskCheckRequest => ({
    ...advisory,
    account: ACCOUNT,
    strategy: 'bench',
    signalId: `bench-${++signals}`,
    signalTimeUs: Date.now() * 1000,
  })
  const both = async (
    apis: Record<keyof Ways, RiskManagementApi>,
    atOnce: number,
    request: () => RiskCheckRequest,
  ): Promise<Ways> => ({
    unary: await warm(count, atOnce, () => apis.unary.checkTradingRisk(request())),
    streamed: await warm(count, atOnce, () => apis.streamed.checkTradingRisk(request())),
  })
  const at = async (atOnce: number) => ({
    tcpEcho: await warm(count, atOnce, echo),
    empty: await both(empty, atOnce, () => advisory),
    advisory: await both(risk, atOnce, () => advisory),
    durable: await both(risk, atOnce, durable),
  })
  try {
    return { inFlight: IN_FLIGHT, messageBytes, at1: await at(1), [`at${IN_FLIGHT}`]: await at(IN_FLIGHT) }
  } finally {
    for (const connection of connections) connection.close()
    socket.destroy()
    worker.postMessage('stop')
    await once(worker, 'exit')
  }
}

/** The other side, on a thread of its own. */
async function serve(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'jts-bench-'))
  const fatal = (reason: string, cause: unknown): never => {
    throw new Error(reason, { cause })
  }
  const log = silentLogger
  const echo = createServer({ noDelay: true }, (socket) => socket.pipe(socket)).listen(0, '127.0.0.1')
  await once(echo, 'listening')

  const handlers = {
    checkTradingRisk: () => Promise.resolve(emptyAnswer),
    async *streamTradingRiskChecks(requests: AsyncIterable<RiskCheckRequest>) {
      for await (const { requestNumber } of requests) yield { ...emptyAnswer, requestNumber }
    },
  }
  const definition = RiskManagementServiceService
  const empty = await startRpcServer({ host: '127.0.0.1', port: 0, services: [{ definition, handlers }], log })

  const store = new SqliteStore({ file: join(folder, 'risk.sqlite'), log, fatal })
  const bus = new EmbeddedBus({ store, log, fatal })
  const risk = createRiskManagement({
    store,
    bus,
    log,
    marketClock: new MarketClock(systemClock),
    limits: {},
    instruments: [shippedInstrument('BINANCE:BTCUSDT')],
    marketTopics: [],
    approvalValidUs: 10_000_000,
  })
  await risk.start()
  await bus.start()
  const server = await startRpcServer({
    host: '127.0.0.1',
    port: 0,
    services: [{ definition, handlers: risk.api }],
    log,
    beforeAnswer: () => store.durable(),
  })
  parentPort!.postMessage({ echo: (echo.address() as AddressInfo).port, empty: empty.port, risk: server.port })
  await once(parentPort!, 'message')
  await Promise.all([empty.stop(), server.stop()])
  echo.close()
  await bus.stop()
  await store.close()
  rmSync(folder, { recursive: true })
  parentPort!.close()
}

if (!isMainThread) await serve()
