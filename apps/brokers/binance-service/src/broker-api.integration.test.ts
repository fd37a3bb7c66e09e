/** The broker contract suite on Binance's ports against the local venue: in process, and as a service over HTTP. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { BrokerApiClient } from '@jts/api-client'
import { CASES, RawApi, runSuite, type CaseResult, type VenueControl } from '@jts/broker-kit/contract-suite'
import { parseKeys } from '@jts/broker-kit/server'
import { accountId } from '@jts/model'
import { silentLogger, systemClock } from '@jts/runtime'
import { TcpProxy } from '@jts/testkit/tcp-proxy'
import { endpointsOfVenue } from './config.ts'
import { createBinanceMarketData } from './market-data.ts'
import { startBinanceService } from './service.ts'
import { BTCUSDT, testBroker } from './testing/broker.ts'
import { VenueProcess } from './testing/venue-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'binance-broker-api-'))
const venue = await VenueProcess.start('--port', '0', '--data-dir', join(folder, 'venue'), '--symbols', 'BTCUSDT')
const { credentials } = venue
/** Between the adapters and the venue, and between the client and the service. */
const toVenue = await TcpProxy.start({ port: Number(new URL(venue.endpoints.rest).port) })
const endpoints = endpointsOfVenue(`http://${toVenue.address}`)
const account = accountId('sim.binance.main')
const key = { id: 'test', secret: 'a-secret-of-the-tests-0123456789abcdef' }
const common = { wallClock: systemClock, log: silentLogger }
const streamTimings = { backoffMinMs: 20, backoffMaxMs: 200 }
const direct = testBroker(venue.endpoints, { credentials })
const inProcess = testBroker(endpoints, { credentials, streamTimings })
const market = createBinanceMarketData({ endpoints, ...common, streamTimings })
const service = await startBinanceService({
  ...{ endpoints, ...common, port: 0, journalFile: join(folder, 'journal.sqlite') },
  accounts: [{ account, credentials, instruments: [BTCUSDT] }],
  keys: parseKeys({ keys: [{ ...key, right: 'trade' }] }),
  streamLimits: { heartbeatMs: 300 },
})
const toService = await TcpProxy.start({ port: Number(new URL(service.url).port) })
const baseUrl = `http://${toService.address}`
const client = new BrokerApiClient({ baseUrl, key, account, broker: 'binance', streamTimings, ...common })
await Promise.all([direct.start(), inProcess.start(), market.start(), client.start()])
after(async () => {
  await Promise.all([client.stop(), direct.stop(), inProcess.stop(), market.stop()])
  await service.stop()
  await Promise.all([toService.close(), toVenue.close()])
  await venue.kill()
  rmSync(folder, { recursive: true, force: true })
})

function told(results: readonly CaseResult[]): Record<string, string> {
  return Object.fromEntries(
    results.map(({ group, title, outcome, expected, found, reason }) => [
      `${group}: ${title}`,
      outcome === 'failed'
        ? `failed: expected ${expected}, found ${found}`
        : `${outcome}${reason ? ` (${reason})` : ''}`,
    ]),
  )
}

/** The venue takes the next order and fills it; its answer is held back, and then the connection breaks. */
async function loseNextAnswer(): Promise<void> {
  const known = (await direct.fills({ instrument: BTCUSDT })).length
  toVenue.stall('down')
  void (async () => {
    while ((await direct.fills({ instrument: BTCUSDT })).length === known) await setTimeout(20)
    toVenue.cut()
    toVenue.flow()
  })()
}
const cut = (proxy: TcpProxy) => () => Promise.resolve(proxy.cut())

const moveMoney = (currency: string, amount: string): Promise<void> => venue.moveMoney(currency, amount)
const ADDRESS = new RawApi({ baseUrl: service.url, key, account, clock: systemClock })
for (const [how, ports, control, raw] of [
  ['in process', { broker: inProcess, market }, { loseNextAnswer, moveMoney, dropStreams: cut(toVenue) }, {}],
  [
    'over HTTP',
    { broker: client, market: client },
    { loseNextAnswer, moveMoney, dropStreams: cut(toService) },
    { raw: ADDRESS },
  ],
] satisfies readonly (readonly [string, object, VenueControl, object])[]) {
  test(`the contract suite passes ${how}`, async () => {
    const target = { ...ports, ...raw, instrument: BTCUSDT, clock: systemClock, boldness: 'full', control } as const
    const results = await runSuite(CASES, { ...target, prefix: `cs${process.pid}${how.slice(0, 1)}` })
    assert.deepEqual(told(results.filter(({ outcome }) => outcome === 'failed')), {})
    // The venue fills whole orders only, and nothing else may be left out here.
    const notRun = results.filter(({ outcome, reason }) => outcome === 'not_run' && reason !== 'needs an address')
    assert.deepEqual(Object.values(told(notRun)), ['not_run (needs a venue under control (fillPart))'])
  })
}
