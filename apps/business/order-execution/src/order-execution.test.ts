/** The life of an order at a venue that answers, does not answer, answers late, twice, or not at all. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, it } from 'node:test'
import type { Capabilities, NotSentCode, PlaceOrderIntent, PlaceOutcome } from '@jts/broker-kit'
import type { EventType } from '@jts/contracts'
import { accountId, instrumentId, parseUnits, type SignalId, type StrategyInstanceId } from '@jts/model'
import { deferred, FakeBroker } from '@jts/testkit/fake-broker'
import { Harness } from '@jts/testkit/harness'
import fc from 'fast-check'
import { createOrderExecution, type OrderExecution } from './index.ts'

const ACCOUNT = accountId('sim.binance.main')
const BTC = instrumentId('BINANCE:BTCUSDT')
const UNKNOWN: PlaceOutcome = { kind: 'unknown', message: 'the socket dropped' }
const SECOND = 1_000_000

type Terms = {
  quantity?: string
  quoteQuantity?: string
  side?: 'buy' | 'sell'
  type?: string
  validForUs?: number
}

class World {
  harness: Harness
  broker: FakeBroker
  service!: OrderExecution
  readonly #capabilities: Partial<Capabilities>

  constructor(capabilities: Partial<Capabilities> = {}, prepare: (broker: FakeBroker) => void = () => undefined) {
    this.#capabilities = capabilities
    this.harness = Harness.open()
    this.broker = new FakeBroker(this.harness.wallClock, capabilities)
    prepare(this.broker)
    this.#build()
  }

  #build(): void {
    const { store, bus, marketClock, wallClock, activity, log } = this.harness
    this.service = createOrderExecution({
      store,
      bus,
      marketClock,
      wallClock,
      activity,
      log,
      accounts: [{ account: ACCOUNT, broker: this.broker, instruments: [BTC] }],
      sendWindowUs: 2 * SECOND,
      quietMarketOrderUs: 2 * SECOND,
      quietOrderUs: 30 * SECOND,
    })
  }

  async start(): Promise<this> {
    await this.service.restore()
    await this.harness.bus.start()
    await this.service.start()
    await this.harness.run()
    return this
  }

  /** The process is killed and started again on the same data; the venue has stayed what it was. */
  async restart(): Promise<void> {
    const { broker, harness } = this
    await harness.run()
    broker.forgetListeners()
    this.harness = harness.killed()
    abandoned.push(harness)
    const again = new FakeBroker(this.harness.wallClock, this.#capabilities)
    for (const [id, report] of broker.orders) again.orders.set(id, report)
    again.trades.push(...broker.trades)
    again.balanceList = broker.balanceList
    this.broker = again
    this.#build()
    await this.start()
  }

  run(ms = 0): Promise<void> {
    return this.harness.run(ms)
  }

  async approve(signal: string, terms: Terms = {}): Promise<void> {
    const { store, marketClock } = this.harness
    const { quantity = '1', quoteQuantity = '', side = 'buy', type = 'limit', validForUs = 60 * SECOND } = terms
    store.transact((turn) => {
      turn.publish('orders.signals', {
        type: 'ApprovedSignal',
        stream: ACCOUNT,
        account: ACCOUNT,
        correlationId: `candle/${signal}`,
        causationId: '',
        timeEventUs: marketClock.nowUs(),
        payload: {
          correlationId: `candle/${signal}`,
          symbol: BTC,
          quantity: 0,
          price: 100,
          side,
          approvedAt: '',
          signalId: signal,
          account: ACCOUNT,
          strategy: 'one',
          orderType: type,
          timeInForce: 'gtc',
          quantityText: quoteQuantity === '' ? quantity : '',
          quoteQuantity,
          limitPrice: type === 'market' ? '' : '100',
          priceText: '100',
          validUntilUs: marketClock.nowUs() + validForUs,
        },
      })
    })
    await this.run()
  }

  async cancel(signal: string): Promise<void> {
    this.harness.store.transact((turn) => {
      turn.publish('orders.signals', {
        type: 'CancelRequested',
        stream: ACCOUNT,
        account: ACCOUNT,
        correlationId: '',
        causationId: '',
        timeEventUs: 0,
        payload: {
          signalId: signal as SignalId,
          strategy: 'one' as StrategyInstanceId,
          account: ACCOUNT,
          instrument: BTC,
        },
      })
    })
    await this.run()
  }

  /** What was said about orders, the opening balance and reconciliations left out. */
  async said(): Promise<EventType[]> {
    return (await this.harness.types('orders.events')).filter((type) => !type.includes('Balance'))
  }

  async status(): Promise<string[]> {
    const { orders } = await this.service.api.listOrders({ account: '', openOnly: false, limit: 0 })
    return orders.map((order) => `${order.status} ${order.filledQuantity}`).sort()
  }

  async bookedTrades(): Promise<string[]> {
    return (await this.service.fills()).map((fill) => fill.trade_id)
  }

  get clientId(): string {
    return this.broker.placed.at(-1)!.clientOrderId
  }
}

const worlds: World[] = []
const abandoned: Harness[] = []

function world(capabilities?: Partial<Capabilities>, prepare?: (broker: FakeBroker) => void): Promise<World> {
  const made = new World(capabilities, prepare)
  worlds.push(made)
  return made.start()
}

afterEach(async () => {
  for (const { harness } of worlds.splice(0)) {
    assert.deepEqual(harness.poison, [])
    await harness.remove()
  }
  for (const harness of abandoned.splice(0)) await harness.remove()
})

const notSent = (code: NotSentCode): PlaceOutcome => ({ kind: 'not_sent', code, message: 'nothing was written' })

describe('what the log holds beyond the state when the process starts', () => {
  it('an approval becomes one order, sent once', async () => {
    const world = new World()
    await world.approve('s1')
    await world.start()
    await world.run(5000)
    assert.equal(world.broker.placed.length, 1)
    assert.deepEqual(await world.said(), ['OrderSubmitting', 'OrderAccepted'])
  })

  it('an approval behind a restored order becomes one order too, and a cancel reaches its order', async () => {
    const world = await new World().start()
    await world.approve('s1')
    // Published while nothing here reads any more, as by another process.
    const before = world.broker.placed.length
    await world.harness.bus.stop()
    await world.approve('s2')
    await world.cancel('s1')
    await world.restart()
    await world.run(5000)
    assert.equal(before, 1)
    assert.equal(world.broker.placed.length, 1, 's2 alone is placed by the new process')
    assert.equal(world.broker.cancels.length, 1, 's1 is cancelled by it')
  })
})

describe('from approval to the wire', () => {
  it('tells the life of an order from intent to fill, and books the fill once', async () => {
    const w = await world()
    await w.approve('s1')
    const { report, fill } = w.broker.execute(w.clientId, '1', { price: '99' })
    w.broker.notice(report, fill)
    await w.run()
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderAccepted', 'OrderFilled'])
    const [filled] = await w.harness.events('orders.events', 'OrderFilled')
    assert.equal(filled!.correlationId, 'candle/s1')
    assert.equal(filled!.payload.leavesQuantity, '0')
    assert.deepEqual(await w.harness.types('orders.fills'), ['OrderFilled'])
    assert.deepEqual(await w.status(), ['filled 1'])
  })

  it('has the intent on disk before the broker is called', async () => {
    const w = await world()
    let onDisk: unknown
    w.broker.onPlace = (intent) => {
      const reader = new DatabaseSync(w.harness.file, { readOnly: true })
      onDisk = JSON.parse(reader.prepare('SELECT record FROM orders_open').get()!['record'] as string)
      reader.close()
      return w.broker.take(intent)
    }
    await w.approve('s1')
    const { life, request } = onDisk as { life: { status: string }; request: PlaceOrderIntent }
    assert.equal(life.status, 'submitting')
    const { clientOrderId, intentTimeUs, sendBeforeUs } = w.broker.placed[0]!
    assert.deepEqual({ ...request }, { number: 1, clientOrderId, intentTimeUs, sendBeforeUs })
    assert.equal(sendBeforeUs - intentTimeUs, 2 * SECOND)
  })

  it('sends one request at a time, in the order of approval', async () => {
    const w = await world()
    const first = deferred<PlaceOutcome>()
    w.broker.onPlace = (intent) => (w.broker.placed.length === 1 ? first.promise : w.broker.take(intent))
    await w.approve('s1')
    await w.approve('s2')
    await w.approve('s3')
    assert.equal(w.broker.placed.length, 1)
    first.resolve(w.broker.take(w.broker.placed[0]!))
    await w.run()
    assert.deepEqual(
      (await w.harness.events('orders.events', 'OrderSubmitting')).map((one) => one.payload.terms!.ref!.signalId),
      ['s1', 's2', 's3'],
    )
    assert.equal(w.broker.placed.length, 3)
  })

  it('makes one order of a signal that is approved twice', async () => {
    const w = await world()
    await w.approve('s1')
    await w.approve('s1')
    assert.equal(w.broker.placed.length, 1)
  })

  it('ends an order that the venue refuses as rejected, and goes on with the next', async () => {
    const w = await world()
    w.broker.onPlace = (intent) =>
      w.broker.placed.length > 1
        ? w.broker.take(intent)
        : { kind: 'rejected', code: 'INSUFFICIENT_BALANCE', message: 'too poor', timeUs: 0 }
    await w.approve('s1')
    await w.approve('s2')
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderRejected', 'OrderSubmitting', 'OrderAccepted'])
    assert.deepEqual(await w.status(), ['accepted 0', 'rejected 0'])
  })

  it('expires a signal whose approval was over before its intent could be written', async () => {
    const w = await world({}, (broker) => (broker.upAtOnce = false))
    await w.approve('s1', { validForUs: SECOND })
    await w.run(1500)
    w.broker.up()
    await w.run()
    assert.deepEqual(await w.said(), ['SignalExpired'])
    assert.equal(w.broker.placed.length, 0)
  })

  const refusals: [NotSentCode, string][] = [
    ['GATE_HALTED', 'TRADING_HALTED'],
    ['RATE_BUDGET', 'RATE_BUDGET'],
    ['INVALID', 'INVALID'],
  ]
  for (const [code, reasonCode] of refusals) {
    it(`denies with ${reasonCode} what was not sent for ${code}`, async () => {
      const w = await world()
      w.broker.onPlace = () => notSent(code)
      await w.approve('s1')
      assert.equal((await w.harness.events('orders.events', 'OrderDenied'))[0]!.payload.reasonCode, reasonCode)
      assert.equal(w.broker.placed.length, 1)
    })
  }

  it('makes a new request, under a new id, of what was not sent while the broker was unavailable', async () => {
    const w = await world()
    w.broker.onPlace = (intent) =>
      w.broker.placed.length === 1 ? notSent('BROKER_UNAVAILABLE') : w.broker.take(intent)
    await w.approve('s1')
    await w.run(300)
    assert.equal(w.broker.placed.length, 2)
    assert.notEqual(w.broker.placed[0]!.clientOrderId, w.broker.placed[1]!.clientOrderId)
    assert.deepEqual(await w.status(), ['accepted 0'])
  })

  it('waits for the stream before it sends what was not sent', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      if (w.broker.placed.length > 1) return w.broker.take(intent)
      w.broker.down()
      return notSent('BROKER_UNAVAILABLE')
    }
    await w.approve('s1')
    await w.run(5000)
    assert.equal(w.broker.placed.length, 1)
    w.broker.up()
    await w.run()
    assert.equal(w.broker.placed.length, 2)
  })

  it('sends nothing while the stream is down, although a catch-up was under way when it fell', async () => {
    const reading = deferred<undefined>()
    const w = await world({}, (broker) => (broker.upAtOnce = false))
    w.broker.onRead = (what) => (what === 'balances' ? reading.promise : undefined)
    w.broker.up()
    await w.run()
    w.broker.down()
    reading.resolve(undefined)
    await w.approve('s1')
    await w.run(2000)
    assert.equal(w.broker.placed.length, 0)
    w.broker.up()
    await w.run()
    assert.equal(w.broker.placed.length, 1)
  })

  it('takes a broker that throws for one that did not answer', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      if (w.broker.placed.length === 1) w.broker.take(intent)
      else return w.broker.take(intent)
      throw new Error('out of memory')
    }
    await w.approve('s1')
    await w.approve('s2')
    assert.deepEqual(await w.status(), ['accepted 0', 'accepted 0'])
    assert.equal(w.broker.placed.length, 2)
  })
})

describe('a request without an answer', () => {
  it('is settled by the query that finds it', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      return UNKNOWN
    }
    await w.approve('s1')
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderUnknown', 'OrderAccepted'])
    assert.equal(w.broker.placed.length, 1)
  })

  it('is settled by the stream while the query still finds nothing', async () => {
    const w = await world()
    w.broker.onPlace = () => UNKNOWN
    await w.approve('s1')
    await w.run(500)
    const taken = w.broker.take(w.broker.placed[0]!)
    w.broker.notice((taken as { report: Parameters<typeof w.broker.notice>[0] }).report)
    await w.run(5000)
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderUnknown', 'OrderAccepted'])
    assert.equal(w.broker.placed.length, 1)
  })

  it('is made anew exactly once, under a new id, when the venue has proved its absence', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => (w.broker.placed.length === 1 ? UNKNOWN : w.broker.take(intent))
    await w.approve('s1')
    await w.run(1900)
    assert.equal(w.broker.placed.length, 1, 'not before the window is over')
    await w.run(10_000)
    assert.equal(w.broker.placed.length, 2)
    assert.notEqual(w.broker.placed[0]!.clientOrderId, w.broker.placed[1]!.clientOrderId)
    const requests = await w.harness.events('orders.events', 'OrderSubmitting')
    assert.deepEqual(
      requests.map((one) => one.payload.requestNumber),
      [1, 2],
    )
    assert.deepEqual(await w.status(), ['accepted 0'])
  })

  it('is made anew exactly once, although the stream came up again and again while it was asked for', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => (w.broker.placed.length === 1 ? UNKNOWN : w.broker.take(intent))
    await w.approve('s1')
    for (let times = 0; times < 4; times++) {
      w.broker.down()
      w.broker.up()
      await w.run(300)
    }
    w.broker.down()
    await w.run(5000)
    w.broker.up()
    await w.run(10_000)
    assert.equal(w.broker.placed.length, 2)
  })

  it('ends as expired(NOT_FOUND) when its absence is proved after the approval is over', async () => {
    const w = await world()
    w.broker.onPlace = () => UNKNOWN
    await w.approve('s1', { validForUs: SECOND })
    await w.run(5000)
    const [expired] = await w.harness.events('orders.events', 'OrderExpired')
    assert.equal(expired!.payload.reasonCode, 'NOT_FOUND')
    assert.equal(w.broker.placed.length, 1)
  })

  it('is never made anew at a broker that cannot prove absence, and keeps the order open through the settle window', async () => {
    const w = await world({ absenceProof: 'none' })
    w.broker.onPlace = () => UNKNOWN
    await w.approve('s1', { validForUs: 600 * SECOND })
    await w.run(31_000)
    assert.deepEqual(await w.status(), ['unknown 0'])
    await w.run(5000)
    assert.deepEqual(await w.status(), ['expired 0'])
    assert.equal(w.broker.placed.length, 1)
  })

  it('books the fills of an order that turns up after it was given up', async () => {
    const w = await world({ absenceProof: 'none' })
    w.broker.onPlace = () => UNKNOWN
    await w.approve('s1')
    await w.run(40_000)
    w.broker.take(w.broker.placed[0]!)
    const { report, fill } = w.broker.execute(w.clientId, '1')
    w.broker.notice(report, fill)
    await w.run()
    assert.deepEqual(await w.status(), ['filled 1'])
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderUnknown', 'OrderExpired', 'OrderFilled'])
  })

  it('is asked for until the venue answers', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      w.broker.away = true
      return UNKNOWN
    }
    await w.approve('s1')
    await w.run(20_000)
    assert.deepEqual(await w.status(), ['unknown 0'])
    w.broker.away = false
    await w.run(1000)
    assert.deepEqual(await w.status(), ['accepted 0'])
  })

  it('holds the next request back until its own answer has come', async () => {
    const w = await world()
    const answer = deferred<PlaceOutcome>()
    w.broker.onPlace = (intent) => (w.broker.placed.length === 1 ? answer.promise : w.broker.take(intent))
    await w.approve('s1')
    // The stream falls and returns, and the window passes, while the request is still on its way.
    w.broker.down()
    w.broker.up()
    await w.run(10_000)
    answer.resolve({ kind: 'rejected', code: 'REJECTED', message: 'no', timeUs: 0 })
    await w.run(10_000)
    assert.equal(w.broker.placed.length, 1)
    assert.deepEqual(await w.status(), ['rejected 0'])
  })
})

describe('fills', () => {
  it('are booked when their notices come before the reply', async () => {
    const w = await world()
    const reply = deferred<PlaceOutcome>()
    w.broker.onPlace = () => reply.promise
    await w.approve('s1', { quantity: '2' })
    const taken = w.broker.take(w.broker.placed[0]!)
    const first = w.broker.execute(w.clientId, '1')
    const second = w.broker.execute(w.clientId, '1')
    w.broker.notice(first.report, first.fill)
    w.broker.notice(second.report, second.fill)
    reply.resolve({ ...(taken as PlaceOutcome & { kind: 'accepted' }), fills: [first.fill, second.fill] })
    await w.run(3000)
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderAccepted', 'OrderFilled', 'OrderFilled'])
    assert.deepEqual(await w.status(), ['filled 2'])
  })

  it('are booked once when their notices come twice', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    const { report, fill } = w.broker.execute(w.clientId, '1')
    w.broker.notice(report, fill)
    w.broker.notice(report, fill)
    await w.service.reconcile(ACCOUNT)
    await w.run()
    assert.deepEqual(await w.bookedTrades(), [fill.tradeId])
    assert.deepEqual(await w.status(), ['partially_filled 1'])
  })

  it('that come after the order has ended are booked all the same', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    const cancelled = w.broker.end(w.clientId, 'cancelled')
    w.broker.notice(cancelled)
    const { report, fill } = w.broker.execute(w.clientId, '1')
    w.broker.notice(report, fill)
    await w.run()
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderAccepted', 'OrderCancelled', 'OrderFilled'])
    assert.deepEqual(await w.status(), ['cancelled 1'])
  })

  it('beyond the quantity of their order are booked as foreign and reported', async () => {
    const w = await world()
    await w.approve('s1')
    const first = w.broker.execute(w.clientId, '1')
    w.broker.notice(first.report, first.fill)
    const second = w.broker.execute(w.clientId, '1')
    w.broker.notice(second.report, second.fill)
    await w.run()
    assert.deepEqual((await w.said()).slice(2), ['OrderFilled', 'ForeignFill'])
    assert.deepEqual((await w.service.fills()).map((fill) => fill.strategy).sort(), ['external', 'one'])
  })

  it('of foreign orders are booked as external, once', async () => {
    const w = await world()
    const { report, fill } = w.broker.executeForeign(BTC, '0.5')
    w.broker.notice(report, fill)
    w.broker.notice(report, fill)
    await w.service.reconcile(ACCOUNT)
    assert.deepEqual(await w.said(), ['ForeignFill'])
  })

  it('that no notice told of are found by the list of trades after a break of the stream', async () => {
    const w = await world()
    await w.approve('s1')
    w.broker.down()
    w.broker.execute(w.clientId, '1')
    w.broker.up()
    await w.run()
    assert.deepEqual(await w.status(), ['filled 1'])
  })

  it('that are found together are told one by one, so that an answer to one is made before the next', async () => {
    const w = await world()
    await w.approve('s1')
    await w.approve('s2')
    const told: string[] = []
    w.harness.bus.tap(['orders.fills'], ({ eventId }) => {
      told.push(`fill ${eventId.at(-1)}`)
      queueMicrotask(() => told.push(`answer ${eventId.at(-1)}`))
    })
    w.broker.down()
    for (const { clientOrderId } of w.broker.placed) w.broker.execute(clientOrderId, '1')
    w.broker.up()
    await w.run()
    assert.deepEqual(told, ['fill 1', 'answer 1', 'fill 2', 'answer 2'])
  })

  it('that no notice told of are found when the order has been quiet for too long', async () => {
    const w = await world()
    await w.approve('s1', { type: 'market' })
    w.broker.execute(w.clientId, '1')
    await w.run(1500)
    assert.deepEqual(await w.status(), ['accepted 0'])
    await w.run(3000)
    assert.deepEqual(await w.status(), ['filled 1'])
  })

  it('are found although the venue did not answer the first time', async () => {
    const w = await world()
    await w.approve('s1', { type: 'market' })
    w.broker.execute(w.clientId, '1')
    w.broker.onRead = () => {
      w.broker.onRead = () => undefined
      w.broker.away = true
    }
    w.broker.onQuery = (id) => {
      const known = w.broker.known(id)
      w.broker.away = true
      w.broker.onQuery = (again) => w.broker.known(again)
      return known
    }
    await w.run(4000)
    assert.deepEqual(await w.status(), ['accepted 0'])
    w.broker.away = false
    await w.run(10_000)
    assert.deepEqual(await w.status(), ['filled 1'])
  })

  it('end an order sized in quote only when the venue has said that all of them are there', async () => {
    const w = await world()
    const reply = deferred<PlaceOutcome>()
    w.broker.onPlace = () => reply.promise
    await w.approve('s1', { type: 'market', quoteQuantity: '300' })
    w.broker.take(w.broker.placed[0]!)
    const first = w.broker.execute(w.clientId, '1', { isLast: false })
    const second = w.broker.execute(w.clientId, '2', { isLast: true })
    reply.resolve({ kind: 'accepted', report: second.report, fills: [first.fill, second.fill] })
    await w.run()
    const leaves = (await w.harness.events('orders.events', 'OrderFilled')).map((one) => one.payload.leavesQuantity)
    assert.deepEqual(leaves, ['', '0'])
    assert.deepEqual(await w.status(), ['filled 3'])
  })

  it('end an order sized in quote that was filled while nobody listened', async () => {
    const w = await world()
    await w.approve('s1', { type: 'market', quoteQuantity: '300' })
    w.broker.down()
    w.broker.execute(w.clientId, '1', { isLast: false })
    w.broker.execute(w.clientId, '2', { isLast: true })
    await w.service.reconcile(ACCOUNT)
    w.broker.up()
    await w.run()
    assert.deepEqual(await w.status(), ['filled 3'])
    assert.deepEqual((await w.said()).slice(2), ['OrderFilled', 'OrderFilled', 'OrderExpired'])
  })
})

describe('cancels', () => {
  it('end an open order when the venue has carried them out', async () => {
    const w = await world()
    await w.approve('s1')
    await w.cancel('s1')
    assert.deepEqual(await w.said(), ['OrderSubmitting', 'OrderAccepted', 'OrderPendingCancel', 'OrderCancelled'])
  })

  it('that lose the race against a fill leave the order filled', async () => {
    const w = await world()
    await w.approve('s1')
    w.broker.onCancel = (id) => {
      w.broker.execute(id, '1')
      return { kind: 'not_open', message: 'no such order' }
    }
    await w.cancel('s1')
    assert.deepEqual(await w.status(), ['filled 1'])
    assert.deepEqual(await w.bookedTrades(), [w.broker.trades[0]!.tradeId])
  })

  it('that come with an unseen partial fill book it before the order ends', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    w.broker.execute(w.clientId, '1')
    await w.cancel('s1')
    assert.deepEqual((await w.said()).slice(2), ['OrderPendingCancel', 'OrderFilled', 'OrderCancelled'])
    assert.deepEqual(await w.status(), ['cancelled 1'])
  })

  it('keep an order from being sent that was still waiting', async () => {
    const w = await world({}, (broker) => (broker.upAtOnce = false))
    await w.approve('s1')
    await w.cancel('s1')
    w.broker.up()
    await w.run()
    assert.deepEqual(await w.said(), ['OrderDenied'])
    assert.equal(w.broker.placed.length, 0)
  })

  it('of an order that is on its way are carried out as soon as it is known', async () => {
    const w = await world()
    const reply = deferred<PlaceOutcome>()
    w.broker.onPlace = () => reply.promise
    await w.approve('s1')
    await w.cancel('s1')
    assert.equal(w.broker.cancels.length, 0)
    reply.resolve(w.broker.take(w.broker.placed[0]!))
    await w.run()
    assert.deepEqual(await w.status(), ['cancelled 0'])
  })

  it('of an unknown order do not keep it from being settled, and no new request is made of it', async () => {
    const w = await world()
    w.broker.onPlace = () => UNKNOWN
    await w.approve('s1')
    await w.cancel('s1')
    await w.run(10_000)
    assert.equal(w.broker.placed.length, 1)
    assert.deepEqual(await w.status(), ['denied 0'])
  })

  it('that the broker could not send are sent again when the order is next seen to be open', async () => {
    const w = await world()
    await w.approve('s1')
    w.broker.onCancel = () => ({ kind: 'not_sent', code: 'BROKER_UNAVAILABLE', message: 'away' })
    await w.cancel('s1')
    assert.deepEqual(await w.status(), ['accepted 0'])
    w.broker.onCancel = (id) => w.broker.cancelAtVenue(id)
    w.broker.down()
    w.broker.up()
    await w.run()
    assert.deepEqual(await w.status(), ['cancelled 0'])
    assert.equal(new Set(w.broker.cancels.map((one) => one.cancelId)).size, 2)
  })

  it('that the venue refuses are not repeated', async () => {
    const w = await world()
    await w.approve('s1')
    w.broker.onCancel = () => ({ kind: 'rejected', code: 'REJECTED', message: 'no' })
    await w.cancel('s1')
    w.broker.down()
    w.broker.up()
    await w.run(60_000)
    assert.equal(w.broker.cancels.length, 1)
    assert.deepEqual(await w.status(), ['accepted 0'])
  })
})

describe('killed and started again', () => {
  it('approved and waiting: is sent then, in the order of approval', async () => {
    const w = await world({}, (broker) => (broker.upAtOnce = false))
    for (const signal of ['s1', 's2', 's3', 's4', 's5']) await w.approve(signal)
    await w.restart()
    const sent = await w.harness.events('orders.events', 'OrderSubmitting')
    assert.deepEqual(
      sent.map((one) => one.payload.terms!.ref!.signalId),
      ['s1', 's2', 's3', 's4', 's5'],
    )
  })

  it('submitting, and the venue has it: is found and not sent again', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      return new Promise(() => undefined)
    }
    await w.approve('s1')
    await w.restart()
    assert.equal(w.broker.placed.length, 0)
    assert.deepEqual(await w.status(), ['accepted 0'])
  })

  it('submitting, and the venue never had it: one new request after the proof, none before', async () => {
    const w = await world()
    w.broker.onPlace = () => new Promise(() => undefined)
    await w.approve('s1')
    const first = w.clientId
    await w.restart()
    await w.run(1500)
    assert.equal(w.broker.placed.length, 0)
    await w.run(10_000)
    assert.equal(w.broker.placed.length, 1)
    assert.notEqual(w.clientId, first)
  })

  it('unknown: is settled', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      w.broker.away = true
      return UNKNOWN
    }
    await w.approve('s1')
    assert.deepEqual(await w.status(), ['unknown 0'])
    await w.restart()
    assert.deepEqual(await w.status(), ['accepted 0'])
    assert.equal(w.broker.placed.length, 0)
  })

  it('not sent: is sent under its next id', async () => {
    const w = await world()
    w.broker.onPlace = () => {
      w.broker.down()
      return notSent('BROKER_UNAVAILABLE')
    }
    await w.approve('s1')
    const first = w.clientId
    await w.restart()
    assert.equal(w.broker.placed.length, 1)
    assert.notEqual(w.clientId, first)
  })

  it('accepted: what was filled meanwhile is booked, once', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    const id = w.clientId
    const first = w.broker.execute(id, '1')
    w.broker.notice(first.report, first.fill)
    await w.run()
    const second = w.broker.execute(id, '1')
    await w.restart()
    assert.deepEqual(await w.bookedTrades(), [first.fill.tradeId, second.fill.tradeId])
    assert.deepEqual(await w.status(), ['filled 2'])
    assert.equal((await w.harness.events('orders.events', 'OrderFilled')).length, 2)
  })

  it('partially filled: stays open, and a repeated notice is not booked again', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    const { report, fill } = w.broker.execute(w.clientId, '1')
    w.broker.notice(report, fill)
    await w.restart()
    w.broker.notice(report, fill)
    await w.run()
    assert.deepEqual(await w.status(), ['partially_filled 1'])
    assert.equal((await w.bookedTrades()).length, 1)
  })

  it('pending cancel, and the venue never heard of it: is cancelled under a new cancel id', async () => {
    const w = await world()
    await w.approve('s1')
    w.broker.onCancel = () => new Promise(() => undefined)
    await w.cancel('s1')
    const before = w.broker.cancels[0]!.cancelId
    await w.restart()
    assert.deepEqual(await w.status(), ['cancelled 0'])
    assert.equal(w.broker.cancels.length, 1)
    assert.notEqual(w.broker.cancels[0]!.cancelId, before)
  })

  it('asked to cancel before the order was known: is cancelled once it is', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      return new Promise(() => undefined)
    }
    await w.approve('s1')
    await w.cancel('s1')
    await w.restart()
    assert.deepEqual(await w.status(), ['cancelled 0'])
  })
})

describe('a halt', () => {
  const halt = (w: World) => w.service.api.halt({ account: '', reason: 'enough', by: 'a person' })

  it('answers when the send in flight has ended, having cancelled what is open and denied what waited', async () => {
    const w = await world()
    await w.approve('s1')
    const reply = deferred<PlaceOutcome>()
    w.broker.onPlace = () => reply.promise
    await w.approve('s2')
    await w.approve('s3')
    let answered = false
    const answer = halt(w).finally(() => (answered = true))
    await w.run(500)
    assert.equal(answered, false)
    reply.resolve(w.broker.take(w.broker.placed[1]!))
    await w.run(100)
    const { state, cancelled, unknown } = await answer
    assert.deepEqual({ state, cancelled, unknown }, { state: 'halted', cancelled: 2, unknown: 0 })
    await w.run()
    assert.deepEqual(await w.status(), ['cancelled 0', 'cancelled 0', 'denied 0'])
    assert.equal(w.broker.gate, 'halted')
  })

  it('counts what is unknown, and cancels it once it is known', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      w.broker.away = true
      return UNKNOWN
    }
    await w.approve('s1')
    const answer = halt(w)
    await w.run(100)
    const { cancelled, unknown, open } = await answer
    assert.deepEqual({ cancelled, unknown, open }, { cancelled: 0, unknown: 1, open: 1 })
    w.broker.away = false
    await w.run(1000)
    assert.deepEqual(await w.status(), ['cancelled 0'])
  })

  it('survives a restart: the gate is shut before anything is sent, and new signals are denied', async () => {
    const w = await world()
    await halt(w)
    await w.restart()
    assert.equal(w.broker.gate, 'halted')
    await w.approve('s1')
    assert.equal((await w.harness.events('orders.events', 'OrderDenied'))[0]!.payload.reasonCode, 'TRADING_HALTED')
    assert.equal(w.broker.placed.length, 0)
  })

  it('is lifted by a person, and by nothing else', async () => {
    const w = await world()
    await w.service.api.halt({ account: ACCOUNT, reason: '', by: '' })
    w.service.setReducing(ACCOUNT, 'lost its footing')
    await w.approve('s1', { side: 'sell' })
    assert.deepEqual(await w.status(), ['denied 0'])
    await w.service.api.resume({ account: ACCOUNT, by: 'a person' })
    await w.approve('s2')
    assert.deepEqual(await w.status(), ['accepted 0', 'denied 0'])
    assert.equal(w.broker.gate, 'open')
  })

  it('of an account that does not exist is refused', async () => {
    const w = await world()
    await assert.rejects(
      w.service.api.halt({ account: 'sim.binance.other', reason: '', by: '' }),
      /NOT_FOUND|expected one/,
    )
  })

  it('that only reduces denies buys and lets sells pass', async () => {
    const w = await world()
    w.service.setReducing(ACCOUNT, 'lost its footing')
    await w.approve('s1', { side: 'buy' })
    await w.approve('s2', { side: 'sell' })
    assert.deepEqual(await w.status(), ['accepted 0', 'denied 0'])
  })
})

describe('the account', () => {
  it('books its opening balance once, however often the stream comes up and the process starts', async () => {
    const reading = deferred<undefined>()
    const w = await world({}, (broker) => {
      broker.onRead = (what) => (what === 'balances' ? reading.promise : undefined)
    })
    w.broker.down()
    w.broker.up()
    await w.run()
    reading.resolve(undefined)
    await w.run(1000)
    await w.restart()
    const opened = await w.harness.events('orders.events', 'OpeningBalance')
    assert.equal(opened.length, 1)
    assert.deepEqual(opened[0]!.payload.balances, [{ currency: 'USDT', amount: '10000' }])
  })

  it('leaves trades from before the first contact to the opening balance', async () => {
    const w = await world({}, (broker) => void broker.executeForeign(BTC, '1'))
    await w.service.reconcile(ACCOUNT)
    assert.deepEqual(await w.said(), [])
  })

  it('does not take a trade for foreign that happened while the opening balance was read', async () => {
    const w = await world({}, (broker) => {
      broker.onRead = (what) => {
        if (what !== 'balances') return
        broker.onRead = () => undefined
        const { report, fill } = broker.executeForeign(BTC, '1')
        broker.notice(report, fill)
      }
    })
    await w.run(2000)
    assert.deepEqual(await w.harness.types('orders.events'), ['OpeningBalance'])
  })

  it('reports balances at the fill count that was the same before and after they were read', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '2' })
    let moved = 0
    w.broker.onRead = (what) => {
      if (what !== 'balances' || ++moved > 2) return
      const { report, fill } = w.broker.execute(w.clientId, '0.5')
      w.broker.notice(report, fill)
    }
    assert.equal(await w.service.reconcile(ACCOUNT), true)
    const [reported] = await w.harness.events('orders.events', 'BalancesReported')
    assert.equal(reported!.payload.fillCount, 2)
    assert.equal(moved, 3)
  })

  it('reports no balances when it would not hold still, or has not been opened', async () => {
    const w = await world()
    await w.approve('s1', { quantity: '9' })
    w.broker.onRead = (what) => {
      if (what === 'balances') w.broker.execute(w.clientId, '0.5')
    }
    assert.equal(await w.service.reconcile(ACCOUNT), false)
    const closed = await world({}, (broker) => {
      broker.upAtOnce = false
      broker.executeForeign(BTC, '1')
    })
    assert.equal(await closed.service.reconcile(ACCOUNT), false)
    assert.deepEqual(await closed.said(), [])
  })

  it('leaves a trade that may belong to an unknown order until that is settled', async () => {
    const w = await world()
    w.broker.onPlace = (intent) => {
      w.broker.take(intent)
      w.broker.execute(intent.clientOrderId, '1')
      w.broker.trades.push({ ...w.broker.trades.pop()!, clientOrderId: undefined as never })
      w.broker.onQuery = () => ({ kind: 'failed', message: 'slow' })
      return UNKNOWN
    }
    await w.approve('s1')
    assert.equal(await w.service.reconcile(ACCOUNT), false, 'the balances already hold what is not booked')
    assert.deepEqual(await w.bookedTrades(), [])
    w.broker.onQuery = (id) => w.broker.known(id)
    await w.run(1000)
    assert.deepEqual(await w.status(), ['filled 1'])
    assert.deepEqual(
      (await w.service.fills()).map((fill) => fill.strategy),
      ['one'],
    )
  })

  it('stops without an error while orders are still being asked for', async () => {
    const w = await world()
    w.broker.onPlace = () => UNKNOWN
    const query = deferred<{ kind: 'not_found' }>()
    w.broker.onQuery = () => query.promise
    await w.approve('s1')
    await w.service.stop()
    await w.harness.store.durable()
    query.resolve({ kind: 'not_found' })
    await w.run(5000)
    assert.deepEqual(await w.status(), ['unknown 0'])
  })
})

describe('whatever the order of the words', () => {
  type Word = 'reply' | 'accepted' | 'fill1' | 'fill2' | 'end' | 'list' | 'restart' | 'stream' | 'quiet'
  const words: Word[] = ['reply', 'accepted', 'fill1', 'fill2', 'end', 'list', 'stream', 'quiet']

  for (const ending of ['filled', 'cancelled'] as const) {
    it(`the order ends ${ending} and each fill is booked once`, async () => {
      const order = fc.shuffledSubarray(
        words.flatMap((word) => [word, word]),
        { minLength: 3 },
      )
      await fc.assert(
        fc.asyncProperty(order, fc.boolean(), fc.boolean(), async (said, isUnknown, isRestarted) => {
          const w = await world()
          const reply = deferred<PlaceOutcome>()
          w.broker.onPlace = () => reply.promise
          await w.approve('s1', { quantity: '3' })
          const id = w.clientId
          const taken = w.broker.take(w.broker.placed[0]!) as PlaceOutcome & { kind: 'accepted' }
          const fills = [w.broker.execute(id, '1'), w.broker.execute(id, ending === 'filled' ? '2' : '1')]
          const end = ending === 'filled' ? fills[1]!.report : w.broker.end(id, 'cancelled')
          const speak: Record<Exclude<Word, 'restart'>, () => unknown> = {
            reply: () => reply.resolve(isUnknown ? UNKNOWN : taken),
            accepted: () => w.broker.notice(taken.report),
            fill1: () => w.broker.notice(fills[0]!.report, fills[0]!.fill),
            fill2: () => w.broker.notice(fills[1]!.report, fills[1]!.fill),
            end: () => w.broker.notice(end),
            list: () => w.service.reconcile(ACCOUNT),
            stream: () => {
              w.broker.down()
              w.broker.up()
            },
            quiet: () => w.run(3000),
          }
          for (const word of said) await speak[word as Exclude<Word, 'restart'>]()
          if (isRestarted) await w.restart()
          else reply.resolve(UNKNOWN)
          await w.run(70_000)
          assert.deepEqual(await w.status(), [ending === 'filled' ? 'filled 3' : 'cancelled 2'])
          const trades = fills.map(({ fill }) => fill.tradeId)
          assert.deepEqual(await w.bookedTrades(), trades)
          const told = await w.harness.events('orders.events', 'OrderFilled')
          assert.deepEqual(told.map((one) => one.payload.tradeId).sort(), trades)
          const ends = (await w.said()).filter((type) => type === 'OrderCancelled' || type === 'OrderExpired')
          assert.deepEqual(ends, ending === 'filled' ? [] : ['OrderCancelled'])
          assert.deepEqual(await w.harness.events('orders.events', 'ForeignFill'), [])
          worlds.splice(0)
          await w.harness.remove()
        }),
        { numRuns: 25 },
      )
    })
  }
})

it('keeps amounts exact: the request carries the approved quantity and limit', async () => {
  const w = await world()
  await w.approve('s1', { quantity: '0.12345678' })
  const { quantity, limitPrice, side, type, timeInForce } = w.broker.placed[0]!
  assert.deepEqual(
    { quantity, limitPrice, side, type, timeInForce },
    {
      quantity: parseUnits('0.12345678'),
      limitPrice: parseUnits('100'),
      side: 'buy',
      type: 'limit',
      timeInForce: 'gtc',
    },
  )
})
