/**
 * A strategy on days at Creon's service, the real one on its simulated COM: what it wants in the evening waits over a restart, goes into
 * the opening auction once, fills at the open, and a backtest over the same days says the same.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runBacktest } from '@jts/backtest'
import { readKeysFile } from '@jts/broker-kit/server'
import {
  accountId,
  formatUnits,
  instrumentId,
  kstInstantUs,
  secondsOfTime,
  strategyInstanceId,
  unlistedKrxInstrument,
  type Bar,
  type RecordedBars,
} from '@jts/model'
import { MarketClock, silentLogger, systemClock } from '@jts/runtime'
import { environmentOf } from '@jts/servers/python'
import { defineStrategy, type AnyStrategy } from '@jts/strategy-kit'
import { toFacts } from './summary.ts'
import { startCreonService } from './testing/creon-service.ts'
import { createTrader, type Trader } from './trader.ts'
import { findStory } from './why/find.ts'
import { tellStory } from './why/story.ts'

const { python } = environmentOf('apps/brokers/creon-service/requirements-dev.txt')
const SAMSUNG = instrumentId('KRX:005930')
const DAYS = ['2026-04-21', '2026-04-22', '2026-04-23', '2026-04-24', '2026-04-27'] as const
const at = (date: string, time: string): number => kstInstantUs(date, secondsOfTime(time))

/** In on the first day's bar, out on the second's, and so on. */
const strategy = defineStrategy({
  name: 'in-and-out',
  parameters: {},
  state: () => ({}),
  onBar(_bar, { buy, sell, position }) {
    if (position.isFlat) buy('10')
    else if (position.isLong) sell(position.sellable)
  },
})

const folder = mkdtempSync(join(tmpdir(), 'jts-krx-days-'))
const dataDir = join(folder, 'jts')
mkdirSync(dataDir)
let nowUs = at(DAYS[0], '15:00')
const clock = `--sim-clock=manual:${DAYS[0]}T15:00:00`
const more = [clock, '--sim-control-port=0', '--sim-window-ms=300']
const service = await startCreonService(python, join(folder, 'creon'), more)
const { place } = service
const running: Trader[] = []
after(async () => {
  for (const trader of running) await trader.stop()
  await service.kill()
  rmSync(folder, { recursive: true, force: true })
})

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const end = performance.now() + 60_000; performance.now() < end;) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  assert.fail(`expected in time: ${what}`)
}

/** Market time is the venue's, for Creon's service as for us. */
async function moveTo(timeUs: number): Promise<void> {
  const answer = await fetch(`${place.controlUrl}/clock`, { method: 'POST', body: JSON.stringify({ nowUs: timeUs }) })
  assert.equal(answer.status, 200, await answer.text())
  nowUs = timeUs
}

async function venueOrders(): Promise<number> {
  const state = (await (await fetch(`${place.controlUrl}/state`)).json()) as { orders: { kind: string }[] }
  return state.orders.filter(({ kind }) => kind === '1').length
}

async function start(): Promise<Trader> {
  const account = accountId(place.account)
  const { id: apiKey, secret: apiSecret } = readKeysFile(place.keys)[0]!
  const { hostname: host, port } = new URL(place.url)
  const instrument = unlistedKrxInstrument(SAMSUNG)
  const trader = createTrader({
    // Not `sim`, whose market is taken for one that never closes.
    ...{ mode: 'paper', replay: false, runId: 'run', sendWindowUs: 60_000_000, instruments: [instrument] },
    endpoints: { restUrl: '', streamUrl: '', apiUrl: '' } as never,
    creon: { host, port: Number(port) },
    accounts: [{ account, apiKey, apiSecret }],
    instances: [
      {
        ...{ instance: strategyInstanceId('daily'), definition: strategy as unknown as AnyStrategy, parameters: {} },
        ...{ account, instrument, timeframe: '1d' },
      },
    ],
    limits: { signalAgeMaxUs: 60_000_000, marketDataAgeMaxUs: 30_000_000 },
    marketClock: new MarketClock({
      nowUs: () => nowUs,
      after: (delayMs, callback) => systemClock.after(Math.min(delayMs, 20), callback),
    }),
    dataDir,
    log: silentLogger,
    fatal: (reason, cause) => assert.fail(`${reason}: ${String(cause)}`),
  })
  running.push(trader)
  await trader.start()
  await until('everything is there', () => Promise.resolve(trader.activity.absentees().length === 0 ? true : undefined))
  return trader
}

async function waiting(trader: Trader): Promise<string[]> {
  const { strategies } = await trader.strategies.api.listStrategies({})
  return strategies[0]!.waiting.map(({ side, quantity, notBeforeUs }) => `${side} ${quantity} ${notBeforeUs}`)
}

const untilItWaits = (trader: Trader): Promise<string[]> =>
  until('it waits', async () => {
    const found = await waiting(trader)
    return found.length === 0 ? undefined : found
  })

const untilFilled = (trader: Trader, count: number) =>
  until(`${count} fills`, async () => {
    const rows = await trader.execution.fills()
    return rows.length === count ? rows.map(toFacts) : undefined
  })

async function firstSignal(trader: Trader): Promise<string> {
  for await (const event of trader.bus.read('strategy.signals')) {
    if (event.type === 'SignalWaiting') return event.payload.signalId
  }
  assert.fail('expected a signal that has waited')
}

async function firstDenial(trader: Trader): Promise<string | undefined> {
  for await (const { type, payload } of trader.bus.read('risk.alerts')) {
    if (type === 'RiskAlert') return `${payload.reasonCode} ${payload.reason}`
  }
  return undefined
}

function recorded(bars: readonly Bar[]): RecordedBars {
  const column = (name: 'openTimeUs' | 'closeTimeUs' | 'open' | 'high' | 'low' | 'close' | 'volume'): Float64Array =>
    Float64Array.from(bars, (bar) => bar[name])
  return {
    ...{ kind: 'bars', file: 'collected', sha256: '', instrument: SAMSUNG, timeframe: '1d', length: bars.length },
    ...{ gaps: 0, missingBars: 0, openTimeUs: column('openTimeUs'), closeTimeUs: column('closeTimeUs') },
    ...{
      open: column('open'),
      high: column('high'),
      low: column('low'),
      close: column('close'),
      volume: column('volume'),
    },
  }
}

/** Away from the close to a time of the next day: what the venue's clock says is measured when it comes back. */
async function overNight(before: Trader, date: string, time: string): Promise<Trader> {
  running.splice(running.indexOf(before), 1)
  await before.stop()
  await moveTo(at(date, time))
  return start()
}

test('a signal of a day goes into the next opening auction once, and fills as a backtest says', async () => {
  let trader = await start()
  await moveTo(at(DAYS[0], '15:34'))
  const opening = at(DAYS[1], '08:30') + 5_000_000
  assert.deepEqual(await untilItWaits(trader), [`buy 10 ${opening}`])

  trader = await overNight(trader, DAYS[1], '08:29:57')
  assert.deepEqual(await waiting(trader), [`buy 10 ${opening}`])
  await moveTo(opening - 1000)
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.deepEqual([await waiting(trader), await venueOrders()], [[`buy 10 ${opening}`], 0])
  await moveTo(opening)
  await until('the order is at Creon', async () => ((await venueOrders()) === 1 ? true : undefined))
  assert.deepEqual(await trader.execution.fills(), [])
  await moveTo(at(DAYS[1], '09:01'))
  await untilFilled(trader, 1)
  await moveTo(at(DAYS[1], '15:34'))
  assert.deepEqual(await untilItWaits(trader), [`sell 10 ${at(DAYS[2], '08:30') + 5_000_000}`])

  // A quarter of an hour late, but the auction still takes it.
  trader = await overNight(trader, DAYS[2], '08:45')
  await until('the second order is at Creon', async () => ((await venueOrders()) === 2 ? true : undefined))
  await moveTo(at(DAYS[2], '09:01'))
  const fills = await untilFilled(trader, 2)
  await moveTo(at(DAYS[2], '15:34'))
  assert.deepEqual(await untilItWaits(trader), [`buy 10 ${at(DAYS[3], '08:30') + 5_000_000}`])

  trader = await overNight(trader, DAYS[3], '08:29:57')
  await moveTo(at(DAYS[3], '08:30:10'))
  await until('the third order is at Creon', async () => ((await venueOrders()) === 3 ? true : undefined))
  await moveTo(at(DAYS[3], '09:01'))
  await untilFilled(trader, 3)
  await moveTo(at(DAYS[3], '15:34'))
  assert.deepEqual(await untilItWaits(trader), [`sell 10 ${at(DAYS[4], '08:30') + 5_000_000}`])

  // Too late, after the weekend: what continuous trading would give is not what the strategy wanted.
  trader = await overNight(trader, DAYS[4], '09:05')
  const denial = await until('the fourth is denied', () => firstDenial(trader))
  assert.match(denial, /^STALE_SIGNAL .* in time for the opening auction until 2026-04-27 08:59:55 KST, found one of/)
  assert.deepEqual([await waiting(trader), await venueOrders()], [[], 3])

  const story = tellStory((await findStory(trader.bus, await firstSignal(trader)))!)
  assert.deepEqual(
    story.map(({ kind }) => kind).filter((kind) => kind !== 'told'),
    ['tick', 'signal', 'signal', 'signal', 'risk', 'approval', 'intent', 'answer', 'fill', 'ledger'],
  )
  assert.equal(
    story.filter(({ text }) => text === 'waits: its market takes orders from 2026-04-21T23:30:05.000Z on').length,
    1,
  )

  const bars = await trader.marketData.candles({
    instrument: SAMSUNG,
    timeframe: '1d',
    fromUs: at(DAYS[0], '09:00'),
    limit: 3,
  })
  const backtest = runBacktest({ strategy, markets: [recorded(bars)], nowMs: () => 0, cash: '100000000' })
  const words = (fill: { side: string; quantity: bigint; price: bigint }): string[] => [
    ...[fill.side, formatUnits(fill.quantity), formatUnits(fill.price)],
  ]
  assert.deepEqual(fills.map(words), backtest.fills.map(words))
  assert.deepEqual(
    bars.slice(1).map(({ open }) => String(open)),
    fills.map(({ price }) => formatUnits(price)),
  )
})
