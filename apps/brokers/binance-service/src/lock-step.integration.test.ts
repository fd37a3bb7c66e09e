/** A recorded market released bar by bar: idle must mean that every frame and answer has been read and acted on. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { LockStepReply, LockStepState } from '@jts/contracts/lock-step'
import type { FillReport } from '@jts/broker-kit'
import type { ClientOrderId } from '@jts/model'
import { Activity, silentLogger, systemClock } from '@jts/runtime'
import { WebSocket } from 'ws'
import { createBinanceMarketData } from './market-data.ts'
import { BTCUSDT, marketBuy, testBroker } from './testing/broker.ts'
import { VenueProcess } from './testing/venue-process.ts'

const BARS = 300
const START_MS = Date.UTC(2024, 0, 1)

const folder = mkdtempSync(join(tmpdir(), 'binance-lock-step-'))
const replay = join(folder, 'BTCUSDT-1m.csv')
const row = (_: unknown, index: number): string => {
  const openMs = START_MS + index * 60_000
  const price = 40_000 + (index % 7) * 10
  return [openMs, price, price + 20, price - 20, price + 5, 10, openMs + 59_999, 0, 0, 0, 0, 0].join()
}
writeFileSync(replay, `${Array.from({ length: BARS }, row).join('\n')}\n`)
const venue = await VenueProcess.start('--replay', replay, '--instrument', BTCUSDT, '--data-dir', join(folder, 'store'))
const { endpoints, credentials } = venue
const activity = new Activity()
const broker = testBroker(endpoints, { credentials, activity })
const market = createBinanceMarketData({ endpoints, activity, wallClock: systemClock, log: silentLogger })
const control = new WebSocket(venue.control.url)
await once(control, 'open')
after(async () => {
  control.close()
  await Promise.all([broker.stop(), market.stop()])
  await venue.kill()
  rmSync(folder, { recursive: true, force: true })
})

let lastId = 0
async function call(message: object): Promise<LockStepReply> {
  control.send(JSON.stringify({ ...message, id: ++lastId }))
  const [data] = (await once(control, 'message')) as [Buffer]
  return JSON.parse(String(data)) as LockStepReply
}

test('every bar is heard, every order is filled, and no frame is missing when idle', async () => {
  const filled: FillReport[] = []
  const answered: string[] = []
  let bars = 0
  await Promise.all([broker.start(), market.start()])
  broker.subscribeOrders({
    onOrder: (_report, fill) => fill && filled.push(fill),
    onBalances: () => undefined,
    onAdjustment: () => undefined,
    onOrderStream: () => undefined,
  })
  market.subscribe([{ instrument: BTCUSDT, timeframe: '1m' }], {
    onBar() {
      if (bars++ % 3 > 0) return
      const clientOrderId = `bar-${bars}` as ClientOrderId
      const nowUs = systemClock.nowUs()
      const order = marketBuy({ clientOrderId, quantity: 100_000n, sendBeforeUs: nowUs + 60_000_000 })
      void broker.placeOrder(order).then((outcome) => {
        answered.push(outcome.kind)
        // The work that follows from the answer, which idle must wait for.
        return activity.during(
          'consumer',
          async () => void (await broker.queryOrder({ instrument: BTCUSDT, clientOrderId })),
        )
      })
    },
    onTrade: () => undefined,
    onMarketStream: () => undefined,
  })
  await activity.whenIdle()
  const attached = await call({ type: 'attach', token: venue.control.token })
  let state = (attached as { state: LockStepState }).state
  let refused = 0
  while (!state.done) {
    await activity.whenIdle(state.sent)
    const reply = await call({ type: 'release', at: state.position, received: activity.received() })
    if (reply.type === 'refused') refused++
    state = (reply as { state: LockStepState }).state
  }
  await activity.whenIdle(state.sent)
  assert.equal(bars, BARS)
  assert.deepEqual(
    answered,
    Array.from({ length: BARS / 3 }, () => 'accepted'),
  )
  assert.deepEqual(activity.received(), state.sent)
  const asked = await broker.fills({ instrument: BTCUSDT })
  assert.deepEqual(
    filled.map(({ tradeId }) => tradeId),
    asked.map(({ tradeId }) => tradeId),
  )
  assert.equal(asked.length, BARS / 3)
  // What the venue sent while it answered us is only known after its next state, so some refusals are natural.
  assert.ok(refused <= BARS / 3 + 1, `${refused} releases refused`)
})
