/** Order execution over a broker in memory, on the real store and bus, and what a test says and sees of it. */
import assert from 'node:assert/strict'
import { afterEach } from 'node:test'
import type { Capabilities, PlaceOutcome } from '@jts/broker-kit'
import type { BusEvent, EventType } from '@jts/contracts'
import {
  accountId,
  type AccountId,
  instrumentId,
  strategyInstanceId,
  type InstrumentId,
  type NotSentCode,
  type SignalId,
  type StrategyInstanceId,
} from '@jts/model'
import type { HeartbeatTimes } from '@jts/runtime'
import { FakeBroker } from '@jts/testkit/fake-broker'
import { Harness } from '@jts/testkit/harness'
import { createOrderExecution, type ComparisonTimes, type ForeignOrders, type OrderExecution } from '../index.ts'

export const ACCOUNT = accountId('sim.binance.main')
export const BTC = instrumentId('BINANCE:BTCUSDT')
export const UNKNOWN: PlaceOutcome = { kind: 'unknown', message: 'the socket dropped' }
export const SECOND = 1_000_000

type Terms = {
  account?: AccountId
  quantity?: string
  quoteQuantity?: string
  side?: 'buy' | 'sell'
  type?: string
  validForUs?: number
  strategy?: string
}

export class World {
  harness: Harness
  broker: FakeBroker
  service!: OrderExecution
  /** That the account is configured for, from the next start on. */
  instruments: InstrumentId[] = [BTC]
  /** Accounts beside it, likewise. */
  others: { account: AccountId; broker: FakeBroker }[] = []
  readonly #capabilities: Partial<Capabilities>
  readonly #heartbeats: HeartbeatTimes | undefined
  readonly #foreignOrders: ForeignOrders | undefined
  readonly #comparisons: ComparisonTimes | undefined

  constructor(
    capabilities: Partial<Capabilities> = {},
    prepare: (broker: FakeBroker) => void = () => undefined,
    heartbeats?: HeartbeatTimes,
    foreignOrders?: ForeignOrders,
    comparisons?: ComparisonTimes,
  ) {
    this.#capabilities = capabilities
    this.#heartbeats = heartbeats
    this.#foreignOrders = foreignOrders
    this.#comparisons = comparisons
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
      accounts: [
        {
          ...{ account: ACCOUNT, broker: this.broker, instruments: this.instruments },
          strategies: ['one', 'two'].map(strategyInstanceId),
          foreignOrders: this.#foreignOrders,
        },
        ...this.others.map((one) => ({ ...one, instruments: [BTC], strategies: [] })),
      ],
      sendWindowUs: 2 * SECOND,
      quietMarketOrderUs: 2 * SECOND,
      quietOrderUs: 30 * SECOND,
      ...(this.#heartbeats === undefined ? {} : { heartbeats: this.#heartbeats }),
      ...(this.#comparisons === undefined ? {} : { comparisons: this.#comparisons }),
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
    this.broker = new FakeBroker(this.harness.wallClock, this.#capabilities)
    this.broker.goOnFrom(broker)
    this.#build()
    await this.start()
  }

  run(ms = 0): Promise<void> {
    return this.harness.run(ms)
  }

  async approve(signal: string, terms: Terms = {}): Promise<void> {
    const { store, marketClock } = this.harness
    const { quantity = '1', quoteQuantity = '', side = 'buy', type = 'limit', validForUs = 60 * SECOND } = terms
    const { account = ACCOUNT, strategy = 'one' } = terms
    store.transact((turn) => {
      turn.publish('orders.signals', {
        type: 'ApprovedSignal',
        stream: account,
        account,
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
          account,
          strategy,
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
          reason: '',
        },
      })
    })
    await this.run()
  }

  events(): Promise<readonly BusEvent[]> {
    return this.harness.events('orders.events')
  }

  /** What was said about orders, the opening balance and reconciliations left out. */
  async said(): Promise<EventType[]> {
    return (await this.harness.types('orders.events')).filter((type) => !type.includes('Balance'))
  }

  async status(): Promise<string[]> {
    const { orders } = await this.service.api.listOrders({ account: '', openOnly: false, limit: 0, orderId: '' })
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

export function world(...options: ConstructorParameters<typeof World>): Promise<World> {
  const made = new World(...options)
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

export const notSent = (code: NotSentCode): PlaceOutcome => ({ kind: 'not_sent', code, message: 'nothing was written' })

/** A world that has served: a property makes one for each run. */
export async function remove(w: World): Promise<void> {
  worlds.splice(worlds.indexOf(w), 1)
  await w.harness.remove()
}
