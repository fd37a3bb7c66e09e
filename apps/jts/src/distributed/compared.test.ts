/** A comparison that the broker cannot answer, as whoever asks for it over gRPC sees it. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { BrokerError } from '@jts/broker-kit'
import { HostServiceService, type ReconcileRequest, type ReconcileResponse } from '@jts/contracts/host-api'
import { silentLogger } from '@jts/runtime'
import { RpcConnection } from '@jts/transport/rpc/grpc-client'
import { startRpcServer } from '@jts/transport/rpc/grpc-server'
import { compared } from './compared.ts'

const noRoom = new BrokerError('RATE_LIMITED', 'no room in the rate budget for another 12 s', { retryable: true })
const close: (() => unknown)[] = []
afterEach(async () => {
  for (const one of close.splice(0)) await one()
})

/** `answers` in their order, the last one for ever; says how often it was asked. */
async function world(...answers: (boolean | Error)[]) {
  let asked = 0
  const reconcile = (): Promise<boolean> => {
    const answer = answers[Math.min(asked++, answers.length - 1)]!
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
  }
  const handlers = { reconcile: (request: ReconcileRequest) => compared({ reconcile }, 'order-execution', request) }
  const { reconcile: definition } = HostServiceService
  const services = [{ definition: { reconcile: definition }, handlers }]
  const server = await startRpcServer({ services, host: '127.0.0.1', port: 0, log: silentLogger })
  const connection = new RpcConnection({ address: `127.0.0.1:${server.port}` })
  close.push(
    () => connection.close(),
    () => server.stop(),
  )
  const ask = (isRepeatable: boolean, deadlineMs: number): Promise<ReconcileResponse> =>
    connection.call(definition, { account: 'sim.binance.main' }, isRepeatable, { deadlineMs, waitForReady: true })
  return { ask, asked: () => asked }
}

test('is unavailable, with the broker’s own words', async () => {
  const { ask, asked } = await world(noRoom)
  const message = /sim\.binance\.main: no room in the rate budget for another 12 s/
  await assert.rejects(ask(false, 30_000), { name: 'RpcError', code: 'UNAVAILABLE', message })
  assert.equal(asked(), 1)
})

test('is asked for again until the broker answers', async () => {
  const { ask, asked } = await world(noRoom, noRoom, true)
  assert.deepEqual([await ask(true, 60_000), asked()], [{ settled: true }, 3])
})

test('that did not come off is told as that, and any other failure is none of the broker’s', async () => {
  assert.deepEqual(await (await world(false)).ask(true, 30_000), { settled: false })
  const { ask, asked } = await world(new Error('a slip'))
  await assert.rejects(ask(true, 30_000), { name: 'RpcError', code: 'INTERNAL' })
  assert.equal(asked(), 1)
})

test('of a service that has no broker is refused', async () => {
  await assert.rejects(compared({}, 'portfolio-tracker', { account: 'sim.binance.main' }), { code: 'UNIMPLEMENTED' })
})
