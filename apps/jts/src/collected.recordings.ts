/**
 * The recorded Creon minutes and KRX days, through the simulated COM, creon-service, its client and the collector: the candles on
 * the topic and in the file that `./jts data export` writes are those of the recording, bar for bar.
 * Run with `JTS_RECORDINGS=<folder of recordings> node --test <this file>`.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import { BrokerApiClient } from '@jts/api-client'
import { readKeysFile } from '@jts/broker-kit/server'
import { createCollections } from '@jts/market-data-collector'
import { readRecordedMarket } from '@jts/market-store/recorded-market'
import { accountId, instrumentId, kstDateOf, kstInstantUs, secondsOfTime } from '@jts/model'
import { silentLogger, systemClock } from '@jts/runtime'
import { environmentOf, installEnvironment } from '@jts/servers/python'
import { runJts } from '@jts/testkit'
import { Harness } from '@jts/testkit/harness'

const recordings = process.env['JTS_RECORDINGS']
if (recordings === undefined)
  throw new Error('expected JTS_RECORDINGS to name the folder of the recordings, found nothing')

const SERVICE = join(import.meta.dirname, '../../brokers/creon-service/src/main.py')
const SAMSUNG = instrumentId('KRX:005930')

/** creon-service on the evening of that day, with this recording in its market. */
async function serviceWith(t: TestContext, file: string, date: string): Promise<BrokerApiClient> {
  const environment = environmentOf('apps/brokers/creon-service/requirements.txt')
  await installEnvironment(environment, () => undefined)
  const dir = mkdtempSync(join(tmpdir(), 'jts-recorded-'))
  const own = ['--com=simulated', '--port=0', '--json', '--data-dir', dir, '--log-level=error', '--sim-window-ms=1']
  const args = [SERVICE, ...own, '--sim-record', `A005930=${file}`, `--sim-clock=start:${date}T16:30:00`]
  const child = spawn(environment.python, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const place = JSON.parse(line) as { url: string; keys: string; account: string }
  const [key] = readKeysFile(place.keys)
  const common = { baseUrl: place.url, key: key!, account: accountId(place.account) }
  const client = new BrokerApiClient({ ...common, wallClock: systemClock, log: silentLogger })
  t.after(async () => {
    await client.stop()
    child.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  })
  await client.start()
  return client
}

type Row = readonly [openTimeUs: number, open: number, high: number, low: number, close: number, volume: number]

async function rowsOf(file: string): Promise<Row[]> {
  const market = await readRecordedMarket(file)
  assert.ok(market.kind === 'bars')
  const { openTimeUs, open, high, low, close, volume } = market
  return Array.from(openTimeUs, (timeUs, i) => [timeUs, open[i]!, high[i]!, low[i]!, close[i]!, volume[i]!])
}

for (const [timeframe, name] of [
  ['1m', 'krx-creon-005930-1m-2018-01to02.csv.gz'],
  ['1d', 'krx-005930-1d-2018to2026.csv.gz'],
] as const) {
  test(`recorded candles of ${timeframe} flow from the venue to the topic and into a file as they were recorded`, async (t) => {
    const file = join(recordings, name)
    const expected = await rowsOf(file)
    const first = kstDateOf(expected[0]![0])
    const last = kstDateOf(expected.at(-1)![0])
    const client = await serviceWith(t, file, last)
    const harness = Harness.open(kstInstantUs(last, secondsOfTime('16:30')))
    t.after(() => harness.remove())
    const { store, activity, log } = harness
    const nowUs = (): number => harness.wallClock.nowUs()
    const venues = [{ venue: 'KRX', source: client, traded: [SAMSUNG], live: [] }]
    // Its clock stands on that evening; what has to wait waits for real.
    const wallClock = { nowUs, after: systemClock.after }
    const { api } = createCollections({ store, wallClock, activity, log, venues })
    await api.collect({ ...{ venue: 'KRX', instruments: [], markets: [] }, timeframe, fromDay: first, toDay: last })
    for (;;) {
      const [run] = (await api.listCollections({})).collections
      if (run!.state === 'running') {
        await new Promise((resolve) => setTimeout(resolve, 100))
        continue
      }
      assert.deepEqual([run!.state, run!.candles, run!.gaps, run!.failures], ['done', expected.length, 0, []])
      break
    }
    const told = (await harness.events('market-data.krx.candles', 'Candle')).map(({ payload: bar }): Row => {
      assert.equal(bar.timeframe, timeframe)
      return [bar.openTimeUs, bar.open, bar.high, bar.low, bar.close, bar.volume]
    })
    assert.deepEqual(told, expected)
    harness.store.flush()
    const folder = join(harness.file, '..')
    const out = join(folder, `krx-005930-${timeframe}.csv`)
    const wanted = ['--instrument', SAMSUNG, '--timeframe', timeframe, '--out', out]
    const exported = await runJts(['data', 'export', ...wanted, '--data-dir', folder])
    assert.equal(exported.code, 0, exported.stderr)
    assert.deepEqual(await rowsOf(out), expected)
  })
}
