/** Whoever listens hears what a service says of itself, and that it says nothing. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { Health } from '@jts/contracts/broker-api'
import type { MarketDataPort } from '@jts/broker-kit'
import { parseKeys, startBrokerServer, type BrokerServer } from '@jts/broker-kit/server'
import { accountId, type InstrumentId } from '@jts/model'
import { silentLogger, systemClock } from '@jts/runtime'
import { FakeBroker } from '@jts/testkit/fake-broker'
import { TcpProxy } from '@jts/testkit/tcp-proxy'
import { BrokerApiClient } from './broker-api-client.ts'

const account = accountId('sim.binance.main')
const key = { id: 'test', secret: 'a-secret-of-the-tests-0123456789abcdef' }
const common = { wallClock: systemClock, log: silentLogger }
const RARELY_MS = 3_600_000

function serve(broker: FakeBroker): Promise<BrokerServer> {
  return startBrokerServer({
    ...{ service: 'test-service', version: '0', port: 0, ...common },
    market: { capabilities: broker.capabilities } as unknown as MarketDataPort,
    accounts: [{ account, broker, instruments: ['BINANCE:BTCUSDT' as InstrumentId] }],
    keys: parseKeys({ keys: [{ ...key, right: 'trade' }] }),
    journalFile: undefined,
    streamLimits: { heartbeatMs: 200 },
  })
}

/** What was heard, in order: the codes of its reasons, or that it was silent. */
async function listen(t: TestContext, baseUrl: string, healthEveryMs: number) {
  const heard: string[] = []
  const client = new BrokerApiClient({
    ...{ baseUrl, key, account, healthEveryMs, streamTimings: { backoffMinMs: 20, backoffMaxMs: 100 }, ...common },
    onHealth: (health: Health | undefined) =>
      heard.push(health === undefined ? 'silent' : health.reasons.map(({ code }) => code).join()),
  })
  t.after(() => client.stop())
  await client.start()
  return { client, heard }
}

async function until(look: () => boolean): Promise<void> {
  for (const end = performance.now() + 30_000; !look(); await setTimeout(5)) {
    assert.ok(performance.now() < end, `waited in vain: ${look.toString()}`)
  }
}

test('it is asked again and again, whatever its streams do', async (t) => {
  const server = await serve(new FakeBroker(systemClock))
  t.after(() => server.stop())
  const { client, heard } = await listen(t, server.url, 20)
  const begun = heard.length
  assert.ok(begun >= 1)
  client.setGate('halted')
  await until(() => heard.at(-1)!.includes('GATE_HALTED'))
})

test('when its stream falls it is asked why, and when the stream stands again', async (t) => {
  const server = await serve(new FakeBroker(systemClock))
  t.after(() => server.stop())
  const proxy = await TcpProxy.start({ port: Number(new URL(server.url).port) })
  t.after(() => proxy.close())
  const { client, heard } = await listen(t, `http://${proxy.address}`, RARELY_MS)
  const states: string[] = []
  client.subscribeOrders({
    onOrder: () => undefined,
    onBalances: () => undefined,
    onAdjustment: () => undefined,
    onOrderStream: (state) => states.push(state),
  })
  await until(() => states.at(-1) === 'up')
  // It is asked once: nobody may answer by then.
  await proxy.refuse()
  proxy.cut()
  await until(() => heard.at(-1) === 'silent')
  assert.equal(states.at(-1), 'down')
  await proxy.accept()
  await until(() => states.at(-1) === 'up' && heard.at(-1) !== 'silent')
})
