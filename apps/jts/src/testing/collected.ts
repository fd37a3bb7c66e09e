/** Candles on their way from a simulated Creon through its service, its client and the collector to a file that is exported. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { BrokerApiClient } from '@jts/api-client'
import { readKeysFile } from '@jts/broker-kit/server'
import { createCollections } from '@jts/market-data-collector'
import { accountId, instrumentId, kstInstantUs, secondsOfTime, type KstDate } from '@jts/model'
import { silentLogger, systemClock } from '@jts/runtime'
import { runJts } from '@jts/testkit'
import { Harness } from '@jts/testkit/harness'
import { startCreonService } from './creon-service.ts'

export const SAMSUNG = instrumentId('KRX:005930')
/** Off-hours trading is over. */
const EVENING = '18:00'

/** creon-service on the evening of that day; its window is short, so that nothing waits for it. */
async function serviceOn(
  t: TestContext,
  python: string,
  date: KstDate,
  more: readonly string[],
): Promise<BrokerApiClient> {
  const dir = mkdtempSync(join(tmpdir(), 'jts-collected-'))
  const evening = ['--sim-window-ms=1', `--sim-clock=start:${date}T${EVENING}:00`]
  const { place, kill } = await startCreonService(python, dir, [...evening, ...more])
  const [key] = readKeysFile(place.keys)
  const common = { baseUrl: place.url, key: key!, account: accountId(place.account) }
  const client = new BrokerApiClient({ ...common, askTimeoutMs: 40_000, wallClock: systemClock, log: silentLogger })
  t.after(async () => {
    await client.stop()
    await kill()
    rmSync(dir, { recursive: true, force: true })
  })
  await client.start()
  return client
}

export type Row = readonly [openTimeUs: number, open: number, high: number, low: number, close: number, volume: number]

export type Collected = {
  /** As they stand on the topic. */
  readonly told: readonly Row[]
  /** As `./jts data export` wrote them. */
  readonly file: string
}

/** Collects Samsung's candles of these days on the evening of the last one, and exports them. */
export async function collected(
  t: TestContext,
  python: string,
  { timeframe, fromDay, toDay }: { readonly timeframe: string; readonly fromDay: KstDate; readonly toDay: KstDate },
  more: readonly string[] = [],
): Promise<Collected> {
  const client = await serviceOn(t, python, toDay, more)
  const harness = Harness.open(kstInstantUs(toDay, secondsOfTime(EVENING)))
  t.after(() => harness.remove())
  const { store, activity, log } = harness
  const venues = [{ venue: 'KRX', source: client, traded: [SAMSUNG], live: [] }]
  // Its clock stands on that evening; what has to wait waits for real.
  const wallClock = { nowUs: () => harness.wallClock.nowUs(), after: systemClock.after }
  const { api } = createCollections({ store, wallClock, activity, log, venues })
  await api.collect({ ...{ venue: 'KRX', instruments: [], markets: [] }, timeframe, fromDay, toDay })
  const ended = async () => {
    for (;;) {
      const [run] = (await api.listCollections({})).collections
      if (run!.state !== 'running') return run!
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  const { state, candles, gaps, failures } = await ended()
  const told = (await harness.events('market-data.krx.candles', 'Candle')).map(({ payload: bar }): Row => {
    assert.equal(bar.timeframe, timeframe)
    return [bar.openTimeUs, bar.open, bar.high, bar.low, bar.close, bar.volume]
  })
  assert.deepEqual([state, candles, gaps, failures], ['done', told.length, 0, []])
  store.flush()
  const folder = join(harness.file, '..')
  const file = join(folder, `krx-005930-${timeframe}.csv`)
  const wanted = ['--instrument', SAMSUNG, '--timeframe', timeframe, '--out', file]
  const exported = await runJts(['data', 'export', ...wanted, '--data-dir', folder])
  assert.equal(exported.code, 0, exported.stderr)
  return { told, file }
}
