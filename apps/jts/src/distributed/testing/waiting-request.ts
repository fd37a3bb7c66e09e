/**
 * Order execution as a process of its own, to be killed, beside a binance-service in which its request waits: both connections to
 * the venue are busy with cancels, whose answers are on their way until the test lets them come.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { BrokerApiClient } from '@jts/api-client'
import { VenueProcess } from '@jts/binance-service/testing/venue-process'
import { accountId, instrumentId, shippedInstrument, type ClientOrderId } from '@jts/model'
import { NOT_OBSERVED, silentLogger, systemClock } from '@jts/runtime'
import { sleep, startJts, type JtsProcess } from '@jts/testkit'
import { TcpProxy } from '@jts/testkit/tcp-proxy'
import { Archive } from '@jts/transport'
import { KafkaBus } from '@jts/transport/bus/kafka/bus'
import { PostgresStore } from '@jts/transport/store/postgres'
import { endpointsOfVenue } from '@jts/binance-service'
import { startReplica, type Replica } from '../replica.ts'
import { settingsOf, writeRunFile, type RunFile } from '../run-file.ts'
import { openRunView, type RunView } from '../run-view.ts'
import { unitOfBroker } from '../units.ts'
import { ordersOf, type VenueOrder } from './venue-truth.ts'

const ACCOUNT = accountId('sim.binance.main')
const BTC = instrumentId('BINANCE:BTCUSDT')
/** Nothing is over here because its time is: what does not go out is refused. */
const SEND_WINDOW_US = 60_000_000
const CONNECTIONS = 2
/** Generous: it says that it happens, not how fast this machine is. What is held back is held as long. */
const WITHIN_MS = 60_000
/** What trading connections send first; questions have connections of their own, and are answered. */
const TRADING = /^(GET \/api\/v3\/ping|POST|DELETE) /

export class WaitingRequest {
  readonly #run: RunFile
  readonly #databaseUrl: string
  readonly #venue: VenueProcess
  readonly #toVenue: TcpProxy
  readonly #folder: string
  #broker!: Replica
  #client!: BrokerApiClient
  #execution!: JtsProcess
  #decidedUnder = 0
  #store!: PostgresStore
  #bus!: KafkaBus
  /** What the supervisor has. */
  view!: RunView

  private constructor(run: RunFile, databaseUrl: string, folder: string, venue: VenueProcess, toVenue: TcpProxy) {
    this.#run = run
    this.#databaseUrl = databaseUrl
    this.#folder = folder
    this.#venue = venue
    this.#toVenue = toVenue
  }

  /** @param run its servers and its namespace, whose topics are there */
  static async start(run: RunFile, databaseUrl: string, folder: string): Promise<WaitingRequest> {
    const venue = await VenueProcess.start('--port', '0', '--data-dir', join(folder, 'venue'), '--symbols', 'BTCUSDT')
    await venue.moveMoney('BTC', '1')
    const toVenue = await TcpProxy.start({ port: Number(new URL(venue.endpoints.rest).port) })
    toVenue.choose((hello) => TRADING.test(hello.toString('latin1')))
    const { apiKey, apiSecret } = venue.credentials
    const one = { instance: 'one', strategy: 'ema-cross', parameters: {}, account: ACCOUNT, instrument: BTC }
    const own: RunFile = {
      ...run,
      endpoints: { ...endpointsOfVenue(`http://${toVenue.address}`) },
      accounts: [{ name: 'main', broker: 'binance', play: { apiKey, apiSecret } }],
      instances: [{ ...one, timeframe: '1m' }],
      instruments: [{ ...shippedInstrument(BTC) }],
      sendWindowUs: SEND_WINDOW_US,
      // No limits are shared, and Redis is not needed.
      speed: 1,
    }
    const rig = new WaitingRequest(own, databaseUrl, folder, venue, toVenue)
    await rig.#start()
    return rig
  }

  async #start(): Promise<void> {
    const settings = await settingsOf(this.#run)
    const common = { run: this.#run, log: silentLogger }
    const { namespace, kafkaBrokers } = this.#run
    this.#store = await PostgresStore.open({
      ...{ url: this.#databaseUrl, namespace, unit: 'approving', owner: 'test' },
      ...{ wallClock: systemClock, log: silentLogger, fatal: () => undefined },
    })
    const kafka = { brokers: kafkaBrokers, prefix: `${namespace}.`, clientId: 'test' }
    this.#bus = new KafkaBus({ store: this.#store, kafka, log: silentLogger })
    await this.#bus.start()
    const listens = { listen: '127.0.0.1', reached: '127.0.0.1', folder: this.#folder, key: this.#run.brokerKey }
    this.#broker = await startReplica({
      ...common,
      ...{ service: 'binance-service', name: 'binance-service', observability: NOT_OBSERVED },
      listen: { host: '127.0.0.1', port: 0 },
      brokerHost: { ...listens, venueTimeoutMs: WITHIN_MS },
      fatal: (reason, cause) => {
        throw new Error(reason, { cause })
      },
    })
    const file = writeRunFile(this.#folder, this.#run)
    this.#execution = startJts(['serve', 'order-execution', '--run', file, '--json'])
    const archive = new Archive(join(this.#folder, 'archive'))
    this.view = openRunView({ ...common, settings, databaseUrl: this.#databaseUrl, archive, name: 'supervisor' })
    await Promise.all([this.view.start(), this.#execution.firstLine])
    const baseUrl = (await this.view.hosts()).find(({ unit }) => unit === unitOfBroker(ACCOUNT))!.httpUrl
    const key = this.#run.brokerKey
    this.#client = new BrokerApiClient({ baseUrl, key, account: ACCOUNT, wallClock: systemClock, log: silentLogger })
    await this.#client.start()
  }

  /** An order to sell, far from the market, is approved; resolves when its request waits in binance-service. */
  async waits(signalId: string): Promise<void> {
    const [bar] = await this.view.marketData.candles({ instrument: BTC, timeframe: '1m', limit: 1 })
    const limitPrice = String(Math.floor(bar!.close * 1.5))
    this.#toVenue.stall('down')
    for (let n = 1; n <= CONNECTIONS; n++) {
      const clientOrderId = `nobody-${n}` as ClientOrderId
      const intentTimeUs = systemClock.nowUs()
      const cancelId = `cancel-${n}` as ClientOrderId
      const times = { intentTimeUs, sendBeforeUs: intentTimeUs + SEND_WINDOW_US }
      void this.#client.cancelOrder({ instrument: BTC, clientOrderId, cancelId, ...times })
    }
    await this.#untilUnsettled(CONNECTIONS)
    this.#approve(signalId, limitPrice)
    await this.#untilUnsettled(CONNECTIONS + 1)
    this.#decidedUnder = await this.#tradingStateVersion()
  }

  async #tradingStateVersion(): Promise<number> {
    return (await this.#client.health()).accounts[0]!.tradingStateVersion
  }

  async #unsettled(): Promise<number> {
    return (await this.#client.health()).accounts[0]!.ordersUnknown
  }

  async #untilUnsettled(requests: number): Promise<void> {
    await until(`${requests} request(s) under way`, async () => (await this.#unsettled()) >= requests)
  }

  #approve(signalId: string, limitPrice: string): void {
    const nowUs = systemClock.nowUs()
    const about = { stream: ACCOUNT, account: ACCOUNT, correlationId: signalId, causationId: '', timeEventUs: nowUs }
    this.#store.transact((turn) => {
      turn.publish('orders.signals', {
        ...about,
        type: 'ApprovedSignal',
        payload: {
          ...{ correlationId: signalId, symbol: BTC, quantity: 0, price: 0, side: 'sell', approvedAt: '', signalId },
          ...{ account: ACCOUNT, strategy: 'one', orderType: 'limit', timeInForce: 'gtc', quantityText: '0.01' },
          ...{ quoteQuantity: '', limitPrice, priceText: limitPrice, validUntilUs: nowUs + SEND_WINDOW_US },
        },
      })
    }, 'durable')
  }

  async killExecution(): Promise<void> {
    this.#execution.child.kill('SIGKILL')
    await this.#execution.ended
  }

  /** Resolves when binance-service has heard that what was decided before a halt is not to be sent, or when the halt is answered. */
  async untilRefused(halted: Promise<unknown>): Promise<void> {
    let isAnswered = false
    const answered = (): boolean => (isAnswered = true)
    void halted.then(answered, answered)
    const isRefused = async () => isAnswered || (await this.#tradingStateVersion()) !== this.#decidedUnder
    await until('binance-service to hear of the halt', isRefused)
  }

  /** What has waited in binance-service goes on. Resolves when nothing is under way there. */
  async goesOn(): Promise<void> {
    this.#toVenue.flow()
    await until('nothing to be under way', async () => (await this.#unsettled()) === 0)
  }

  async ordersAtVenue(): Promise<readonly VenueOrder[]> {
    const keys = { restUrl: this.#venue.endpoints.rest, ...this.#venue.credentials }
    return ordersOf(keys, ['BTCUSDT'])
  }

  async stop(): Promise<void> {
    this.#toVenue.flow()
    if (this.#execution.child.exitCode === null && this.#execution.child.signalCode === null) await this.killExecution()
    await this.#bus.stop()
    await this.#store.release()
    await this.view.stop()
    await this.#client.stop()
    await this.#broker.stop()
    await this.#toVenue.close()
    await this.#venue.kill()
  }
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + WITHIN_MS; !(await isSo()); await sleep(20)) {
    assert.ok(Date.now() < end, `expected ${what} within a minute`)
  }
}
