/**
 * What a broker's fall does to the others: tick to order on Binance (frame in → intent synced → the order's first byte) while the
 * same process also trades on Creon, whose service answers, is gone, or accepts and never answers. They take turns in one run, so
 * that the machine's drift meets them alike; the healthy turn comes twice, and its second is what this machine adds by itself.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { CreonApiClient } from '@jts/api-client'
import { createBinanceBroker, createBinanceMarketData, endpointsOfVenue } from '@jts/binance-service'
import { BrokerGuard, type BrokerPort } from '@jts/broker-kit'
import { CAPABILITY_TABLE } from '@jts/broker-kit'
import { accountId, parseUnits, type ClientOrderId, type InstrumentId } from '@jts/model'
import { silentLogger, systemClock } from '@jts/runtime'
import { WebSocketServer, type WebSocket } from 'ws'

type State = 'healthy' | 'again' | 'dead' | 'hung'
const STATES = ['healthy', 'again', 'dead', 'hung'] as const
type Figures = { readonly p50: number; readonly p99: number; readonly samples: number }
export type IsolationBench = {
  /** Tick to order on Binance, µs, by what Creon does. */
  readonly tickToOrderUs: Readonly<Record<State, Figures>>
  /** Of the healthy turns' figures; the aim is 1.1 at most. `again` is healthy too: how far from 1 two equal things come out. */
  readonly ratio: Readonly<Record<'again' | 'dead' | 'hung', { readonly p50: number; readonly p99: number }>>
  readonly creon: Readonly<Record<State, { readonly calls: number; readonly failed: number; readonly breaker: string }>>
}

const BTCUSDT = 'BINANCE:BTCUSDT' as InstrumentId
const SAMSUNG = 'KRX:005930' as InstrumentId
const ROUNDS = 12
const TICKS = 100
const TICK_MS = 25
/** Five times what Creon's own limits allow. */
const CREON_EVERY_MS = 50

export async function benchIsolation(): Promise<IsolationBench> {
  const folder = mkdtempSync(join(tmpdir(), 'jts-bench-'))
  const venue = await child(
    '../apps/venues/binance-venue/src/main.ts',
    '--json',
    '--exit-with-stdin',
    '--port',
    '0',
    '--balance',
    '100000000',
    '--symbols',
    'BTCUSDT',
    '--data-dir',
    join(folder, 'venue'),
  )
  const creon = await child('./isolation-creon.ts')
  const ticks = await tickServer()
  const hung = await silentServer()
  const intents = openSync(join(folder, 'intents'), 'a')
  const { restUrl, apiKey, apiSecret } = JSON.parse(venue.line) as {
    restUrl: string
    apiKey: string
    apiSecret: string
  }
  const common = { wallClock: systemClock, log: silentLogger }
  const endpoints = { ...endpointsOfVenue(restUrl), streams: ticks.url }
  const raw = createBinanceBroker({
    account: accountId('sim.binance.main'),
    endpoints,
    credentials: { apiKey, apiSecret },
    ...common,
  })
  const market = createBinanceMarketData({ endpoints, ...common })
  await Promise.all([raw.start(), market.start()])
  const broker = new BrokerGuard({ broker: 'binance', clock: systemClock }).guardBroker(raw)
  const addresses: Record<State, URL> = {
    healthy: new URL(creon.line),
    again: new URL(creon.line),
    dead: new URL('http://127.0.0.1:1'),
    hung: new URL(hung.url),
  }
  const samples: Record<State, number[]> = { healthy: [], again: [], dead: [], hung: [] }
  const told = { healthy: newCount(), again: newCount(), dead: newCount(), hung: newCount() }
  // Kept over the rounds: a slice is shorter than a call that is never answered, so a breaker opens after its first.
  const guardOf = (): BrokerGuard => new BrokerGuard({ broker: 'creon', clock: systemClock })
  const guards: Record<State, BrokerGuard> = {
    healthy: guardOf(),
    again: guardOf(),
    dead: guardOf(),
    hung: guardOf(),
  }
  try {
    await measure(broker, market, ticks, intents, 50)
    for (let round = 0; round < ROUNDS; round++) {
      // Each begins a round in its turn.
      for (let i = 0; i < STATES.length; i++) {
        const state = STATES[(i + round) % STATES.length]!
        const load = tradeOnCreon(addresses[state], guards[state], told[state])
        samples[state].push(...(await measure(broker, market, ticks, intents, TICKS)))
        await load.stop()
      }
    }
  } finally {
    await Promise.all([raw.stop(), market.stop()])
    for (const one of [venue, creon]) one.stop()
    ticks.stop()
    hung.stop()
    closeSync(intents)
    rmSync(folder, { recursive: true, force: true })
  }
  const tickToOrderUs = {
    healthy: figures(samples.healthy),
    again: figures(samples.again),
    dead: figures(samples.dead),
    hung: figures(samples.hung),
  }
  const over = (state: State) => ({
    p50: tickToOrderUs[state].p50 / tickToOrderUs.healthy.p50,
    p99: tickToOrderUs[state].p99 / tickToOrderUs.healthy.p99,
  })
  return { tickToOrderUs, ratio: { again: over('again'), dead: over('dead'), hung: over('hung') }, creon: told }
}

type Ticks = Awaited<ReturnType<typeof tickServer>>
let orders = 0

/** Each tick is answered by one order; µs from the frame in our hands to the moment before the order's first byte. */
async function measure(
  broker: BrokerPort,
  market: ReturnType<typeof createBinanceMarketData>,
  ticks: Ticks,
  intents: number,
  count: number,
): Promise<number[]> {
  const found: number[] = []
  const answers: Promise<unknown>[] = []
  const up = Promise.withResolvers<string>()
  const stream = market.subscribe([{ instrument: BTCUSDT }], {
    onBar: () => undefined,
    onMarketStream: (state) => state === 'up' && up.resolve(state),
    onTrade() {
      const begun = performance.now()
      const nowUs = systemClock.nowUs() + broker.clockOffsetUs()
      const id = `iso-${process.pid}-${++orders}`
      writeSync(intents, `${id}\n`)
      fdatasyncSync(intents)
      const side = orders % 2 === 0 ? 'sell' : 'buy'
      const order = { clientOrderId: id as ClientOrderId, instrument: BTCUSDT, side, type: 'market' } as const
      const window = { intentTimeUs: nowUs, sendBeforeUs: nowUs + 5_000_000 }
      let writtenMs = 0
      answers.push(
        broker
          .placeOrder({ ...order, quantity: parseUnits(side === 'buy' ? '0.002' : '0.001'), ...window }, () => {
            writtenMs = performance.now()
            return undefined
          })
          .then((outcome) => {
            if (outcome.kind !== 'accepted')
              throw new Error(`expected an accepted order, found ${JSON.stringify(outcome)}`)
            found.push((writtenMs - begun) * 1000)
          }),
      )
    },
  })
  await up.promise
  for (let i = 0; i < count; i++) {
    ticks.send()
    await new Promise((resolve) => setTimeout(resolve, TICK_MS))
  }
  while (answers.length < count) await new Promise((resolve) => setTimeout(resolve, 5))
  await Promise.all(answers)
  await stream.stop()
  return found
}

type Count = { calls: number; failed: number; breaker: string }
const newCount = (): Count => ({ calls: 0, failed: 0, breaker: 'closed' })

/** What a process that also trades on Creon does: questions, orders, an order stream that wants to be up. */
function tradeOnCreon(address: URL, guard: BrokerGuard, count: Count): { stop(): Promise<void> } {
  const client = new CreonApiClient({
    ...{ windowsHost: address.hostname, port: Number(address.port), wallClock: systemClock, log: silentLogger },
    key: { id: 'bench', secret: 'the-secret-of-the-bench-0123456789ab' },
    account: accountId('sim.creon.main'),
    capabilities: { ...CAPABILITY_TABLE['creon']!, broker: 'creon' },
    askTimeoutMs: 400,
    actTimeoutMs: 400,
  })
  const broker = guard.guardBroker(client)
  const stream = broker.subscribeOrders({
    onOrder: () => 0,
    onBalances: () => 0,
    onAdjustment: () => 0,
    onOrderStream: () => 0,
  })
  const under = new Set<Promise<unknown>>()
  const call = (work: () => Promise<boolean>): void => {
    count.calls++
    const done = work()
      .catch(() => false)
      .then((isFine) => (isFine ? undefined : count.failed++))
      .finally(() => under.delete(done))
    under.add(done)
  }
  let turn = 0
  const timer = setInterval(() => {
    if (++turn % 10 > 0) return call(() => broker.balances().then(() => true))
    const nowUs = systemClock.nowUs()
    const order = { instrument: SAMSUNG, side: turn % 20 === 0 ? 'buy' : 'sell', type: 'market' } as const
    const clientOrderId = `creon-${process.pid}-${turn}-${nowUs % 1e6}` as ClientOrderId
    const sized = {
      ...order,
      clientOrderId,
      quantity: parseUnits('1'),
      intentTimeUs: nowUs,
      sendBeforeUs: nowUs + 2_000_000,
    }
    call(async () => (await broker.placeOrder(sized)).kind === 'accepted')
  }, CREON_EVERY_MS)
  return {
    async stop() {
      clearInterval(timer)
      count.breaker = guard.view().state
      await Promise.allSettled(under)
      await stream.stop()
      await client.stop()
    },
  }
}

async function tickServer(): Promise<{ readonly url: string; send(): void; stop(): void }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
  const readers = new Set<WebSocket>()
  server.on('connection', (socket) => {
    socket.on('close', () => readers.delete(socket))
    socket.on('message', (data: Buffer) => {
      const { id } = JSON.parse(data.toString()) as { id: number }
      readers.add(socket)
      socket.send(JSON.stringify({ result: null, id }))
    })
  })
  await once(server, 'listening')
  let trade = 0
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    send() {
      const T = Date.now()
      const frame = JSON.stringify({
        e: 'trade',
        E: T,
        s: 'BTCUSDT',
        t: ++trade,
        p: '90000.00',
        q: '0.001',
        T,
        m: false,
      })
      for (const reader of readers) reader.send(frame)
    },
    stop: () => server.close(),
  }
}

/** Accepts, reads, and never says a word. */
async function silentServer(): Promise<{ readonly url: string; stop(): void }> {
  const server: Server = createServer((socket) => socket.on('error', () => socket.destroy()).resume())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop: () => server.close() }
}

async function child(file: string, ...args: string[]): Promise<{ readonly line: string; stop(): void }> {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const started = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(started, 'exit').then(([code]) => Promise.reject(new Error(`${file} ended with ${code}`)))
  ended.catch(() => undefined)
  const [line] = (await Promise.race([once(createInterface(started.stdout), 'line'), ended])) as [string]
  return { line, stop: () => started.stdin.end() }
}

function figures(all: readonly number[]): Figures {
  const sorted = all.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!)
  return { p50: at(0.5), p99: at(0.99), samples: sorted.length }
}
