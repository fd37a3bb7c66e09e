/** What waits at a broker service when order execution dies does not go out after a halt has been answered. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { instrumentId, parseUnits, type OrderId } from '@jts/model'
import { clientOrderIdOf, OrderRecord, type OrderTermsRecord } from '@jts/order-execution/domain/order-record'
import { HALT_OF_ALL, openOnDisk, type Halt } from '@jts/order-execution/open-orders'
import { silentLogger } from '@jts/runtime'
import { FakeBroker } from '@jts/testkit/fake-broker'
import { ManualClock } from '@jts/testkit/manual-clock'
import { cancelWithout, type CancelledWithout } from './cancel-without.ts'

const START_US = 1_000_000_000
const BTC = instrumentId('BINANCE:BTCUSDT')

type Left = {
  readonly id: string
  readonly status?: 'submitting' | 'accepted'
  readonly side?: 'buy' | 'sell'
  /** From the start to the last moment at which it may be sent. */
  readonly sendBeforeMs?: number
  readonly tradingStateVersion?: number
}

/** An order as order execution has left it in its rows. */
function row({ id, status = 'submitting', side = 'buy', sendBeforeMs = 1500, tradingStateVersion = 4 }: Left) {
  const order = new OrderRecord({
    ...{ orderId: id, signalId: 's', correlationId: 'c', approvedBy: 'orders.signals/x/1', strategy: 'one' },
    ...{ instrument: BTC, side, type: 'limit', timeInForce: 'gtc', quantity: '1' },
    ...{ quoteQuantity: '', limitPrice: '100', price: '100', validUntilUs: 0, timeUs: 0 },
  } as unknown as OrderTermsRecord)
  order.life.move('submitting')
  if (status === 'accepted') order.life.move('accepted')
  const sendBeforeUs = START_US + sendBeforeMs * 1000
  order.request = { ...named(id), number: 1, intentTimeUs: START_US, sendBeforeUs, tradingStateVersion }
  return { record: order.toText() }
}

const named = (id: string) => ({ clientOrderId: clientOrderIdOf(id as OrderId, 1) })

function rig(...left: Left[]) {
  const clock = new ManualClock(START_US)
  const broker = new FakeBroker(clock)
  const refused: number[] = []
  const found = {
    rows: left.map(row),
    clock,
    broker,
    refused,
    /** The request that waits is written now. */
    written: (id: string) =>
      broker.take({
        ...{ ...named(id), instrument: BTC, side: 'buy', type: 'limit', timeInForce: 'gtc' },
        ...{ quantity: parseUnits('1'), limitPrice: parseUnits('100'), intentTimeUs: START_US, sendBeforeUs: 0 },
      }),
    halt: (halt: Halt = HALT_OF_ALL): { answer: Promise<CancelledWithout>; isAnswered: () => boolean } => {
      let isAnswered = false
      const answer = cancelWithout({
        broker: Object.assign(broker, {
          refuseOlder: (version: number) => (refused.push(version), Promise.reject(new Error('it is slow'))),
        }),
        halt,
        openInRows: () => Promise.resolve(openOnDisk(found.rows, halt)),
        adopts: false,
        wallClock: clock,
        log: silentLogger,
      }).finally(() => (isAnswered = true))
      return { answer, isAnswered: () => isAnswered }
    },
  }
  return found
}

test('a request that its service sends after the halt is waited for, cancelled, and counted as without an answer', async () => {
  const { clock, written, halt, refused, broker } = rig({ id: 'waits' }, { id: 'earlier', tradingStateVersion: 3 })
  const { answer, isAnswered } = halt()
  await clock.run(1400)
  assert.equal(isAnswered(), false)
  written('waits')
  await clock.run(351)
  assert.deepEqual(await answer, { cancelled: 1, open: 0, unknown: 2 })
  assert.deepEqual(
    broker.cancels.map(({ clientOrderId }) => clientOrderId),
    [named('waits').clientOrderId],
  )
  assert.deepEqual(refused, [5])
})

test('by the clock of the broker, which may be a little behind, its time is over; nothing is waited for longer than a request may wait', async () => {
  const ahead = rig({ id: 'waits' })
  ahead.broker.clockOffsetUs = () => 1_000_000
  const answered = ahead.halt()
  await ahead.clock.run(749)
  assert.equal(answered.isAnswered(), false)
  await ahead.clock.run(2)
  assert.equal(answered.isAnswered(), true)
  const odd = rig({ id: 'odd', sendBeforeMs: 600_000 })
  odd.rows.push({ record: 'not a record' })
  const waited = odd.halt()
  await odd.clock.run(2251)
  assert.deepEqual(await waited.answer, { cancelled: 0, open: 0, unknown: 2 })
})

test('where nothing is without an answer, nothing is waited for and nothing refused', async () => {
  const { written, halt, refused } = rig({ id: 'open', status: 'accepted' })
  written('open')
  assert.deepEqual(await halt().answer, { cancelled: 1, open: 0, unknown: 0 })
  assert.deepEqual(refused, [])
})

for (const halt of [
  { strategy: 'one', state: 'halted' },
  { strategy: '', state: 'reducing' },
] as const) {
  test(`a halt ${halt.strategy === '' ? 'that only reduces' : 'of one strategy'} waits, and what else waits there is sent`, async () => {
    const { clock, halt: said, refused } = rig({ id: 'waits' }, { id: 'sells', side: 'sell', sendBeforeMs: 1900 })
    const { answer } = said(halt)
    await clock.run(2151)
    assert.deepEqual(await answer, { cancelled: 0, open: 0, unknown: halt.strategy === '' ? 1 : 2 })
    assert.deepEqual(refused, [])
  })
}

test('what order execution settles meanwhile is known, and a broker that does not answer leaves what the rows say', async () => {
  const world = rig({ id: 'waits' }, { id: 'stays' })
  const { answer } = world.halt()
  world.rows.splice(0, 1)
  world.broker.away = true
  await world.clock.run(1751)
  assert.deepEqual(await answer, { cancelled: 0, open: 1, unknown: 1, unasked: 'away' })
})
