/** Risk while order execution or the market is silent: nothing new is risked, what reduces passes, and it recovers by itself. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, it } from 'node:test'
import { RiskCheckRequest, type RiskCheckResponse } from '@jts/contracts/risk-api'
import { accountId, instrumentId, shippedInstrument } from '@jts/model'
import { HEARTBEAT } from '@jts/runtime'
import { Harness, START_US } from '@jts/testkit/harness'
import { candle, openingBalance, orderFilled } from '@jts/testkit/order-events'
import { Heartbeats, placeOf } from '@jts/transport'
import { createRiskManagement, type RiskManagement } from './index.ts'

const ACCOUNT = accountId('sim.binance.main')
const OTHER = accountId('sim.binance.other')
const BTC = instrumentId('BINANCE:BTCUSDT')
/** In another partition. */
const ETH = instrumentId('BINANCE:ETHUSDT')
let harness: Harness
let risk: RiskManagement
let execution: Heartbeats
let collector: Heartbeats
let questions = 0

function voice(service: string, said: { accounts?: string[]; places?: string[] }): Heartbeats {
  const { store, wallClock, log } = harness
  return new Heartbeats({ service, store, wallClock, log, times: HEARTBEAT, says: () => said })
}

beforeEach(async () => {
  harness = Harness.open()
  const { store, bus, marketClock, wallClock, log } = harness
  risk = createRiskManagement({
    store,
    bus,
    marketClock,
    log,
    limits: {},
    instruments: [shippedInstrument(BTC)],
    marketTopics: ['market-data.binance.candles'],
    approvalValidUs: 10_000_000,
    heartbeats: {
      times: HEARTBEAT,
      wallClock,
      accounts: [
        { account: ACCOUNT, instruments: [BTC] },
        { account: OTHER, instruments: [ETH] },
      ],
    },
  })
  await risk.start()
  await bus.start()
  store.transact((turn) => {
    turn.publish('orders.events', openingBalance(ACCOUNT, { USDT: '1000' }))
    turn.publish('market-data.binance.candles', candle(BTC, START_US, 100))
    turn.publish('orders.events', orderFilled({ account: ACCOUNT, instrument: BTC, quantity: '2', price: '100' }))
  })
  execution = voice('order-execution', { accounts: [ACCOUNT, OTHER] })
  collector = voice('market-data-collector', { places: [placeOf(BTC), placeOf(ETH)] })
  execution.start()
  collector.start()
  await harness.run()
})

afterEach(async () => {
  risk.stop()
  execution.stop()
  collector.stop()
  assert.deepEqual(harness.poison, [])
  await harness.remove()
})

function ask(side: 'buy' | 'sell', changes: Partial<RiskCheckRequest> = {}): Promise<RiskCheckResponse> {
  return risk.api.checkTradingRisk(
    RiskCheckRequest.create({
      correlationId: 'c',
      symbol: BTC,
      side,
      account: ACCOUNT,
      strategy: 'one',
      signalId: `s-${++questions}`,
      quantityText: '0.1',
      priceText: '100',
      signalTimeUs: harness.marketClock.nowUs(),
      ...changes,
    }),
  )
}

/** What risk last said of its own on `system.health`. */
async function holds(): Promise<string[]> {
  const said = await harness.events('system.health', 'Heartbeat')
  const last = said.findLast(({ payload }) => payload.service === 'risk-management')
  return last!.payload.holds.map(({ account, reasonCode }) => `${account} ${reasonCode}`)
}

async function health(): Promise<string[]> {
  const said = await harness.events('system.health', 'ServiceHealth')
  return said.map(({ payload }) => `${payload.service} ${payload.state}`)
}

it('holds nothing while both are heard, however long nothing else happens', async () => {
  await harness.run(60_000)
  assert.equal((await ask('buy')).approved, true)
  assert.deepEqual([await holds(), await health()], [[], []])
})

it('denies new risk while order execution is silent, lets reducing orders pass, and goes on when it is back', async () => {
  execution.stop()
  await harness.run(4500)
  assert.equal((await ask('buy')).approved, true, 'not before five seconds are over')
  await harness.run(1500)
  const denied = await ask('buy')
  assert.equal(denied.denialCode, 'HEARTBEAT_MISSING')
  assert.match(
    denied.rejectionReason,
    /^expected a heartbeat of order-execution of sim\.binance\.main within 5 s, found none for 5\.\d s$/,
  )
  assert.equal((await ask('sell')).approved, true)
  assert.deepEqual(await holds(), [`${ACCOUNT} HEARTBEAT_MISSING`, `${OTHER} HEARTBEAT_MISSING`])
  execution.start()
  await harness.run()
  assert.equal((await ask('buy')).approved, true)
  assert.deepEqual(
    [await holds(), await health()],
    [
      [],
      [
        `order-execution of ${ACCOUNT} down`,
        `order-execution of ${OTHER} down`,
        `order-execution of ${ACCOUNT} up`,
        `order-execution of ${OTHER} up`,
      ],
    ],
  )
})

it('denies new risk on the accounts whose prices are silent, and on no others', async () => {
  collector.stop()
  const other = voice('market-data-collector', { places: [placeOf(ETH)] })
  other.start()
  await harness.run(6000)
  assert.equal((await ask('buy')).denialCode, 'HEARTBEAT_MISSING')
  assert.equal((await ask('buy', { account: OTHER })).denialCode, 'INSUFFICIENT_CASH')
  assert.deepEqual(await holds(), [`${ACCOUNT} HEARTBEAT_MISSING`])
  assert.deepEqual(await health(), [`market data of ${placeOf(BTC)} down`])
  other.stop()
})

it('takes a price for a sign of life, but not one from long ago', async () => {
  collector.stop()
  await harness.run(6000)
  const publish = async (timeUs: number): Promise<void> => {
    harness.store.transact((turn) => turn.publish('market-data.binance.candles', candle(BTC, timeUs, 100)))
    await harness.run()
  }
  await publish(harness.wallClock.nowUs() - 60_000_000)
  assert.equal((await ask('buy')).denialCode, 'HEARTBEAT_MISSING')
  await publish(harness.wallClock.nowUs())
  assert.equal((await ask('buy')).approved, true)
})

it('never lifts what a person has set', async () => {
  const state = {
    scope: 'account',
    strategy: '',
    state: 'halted',
    version: 1,
    reason: '',
    by: 'person',
    reasonCode: '',
  }
  const about = { stream: ACCOUNT, account: ACCOUNT, correlationId: '', causationId: '', timeEventUs: 1 }
  harness.store.transact((turn) => {
    turn.publish('orders.events', { ...about, type: 'TradingStateChanged', payload: state })
  })
  execution.stop()
  await harness.run(6000)
  execution.start()
  await harness.run(6000)
  assert.equal((await ask('sell')).denialCode, 'TRADING_HALTED')
})
