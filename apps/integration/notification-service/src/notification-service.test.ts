/** What a person is told by webhook: after the commit, until it is taken, and then no more. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, it } from 'node:test'
import { Harness } from '@jts/testkit/harness'
import { balanceAdjusted, orderEnded, orderFilled, openingBalance } from '@jts/testkit/order-events'
import type { NewEvent } from '@jts/contracts'
import { createNotificationService, type NotificationService } from './index.ts'

const said = { account: 'sim.binance.main', instrument: 'BINANCE:BTCUSDT' }
const open: Harness[] = []
const servers: Server[] = []

class World {
  harness = Harness.open()
  service!: NotificationService
  url = ''
  language: 'ko' | 'en' = 'en'
  readonly taken: { id: string; title: string }[] = []
  onPost: () => number | Promise<number> = () => 200

  async listen(): Promise<this> {
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => {
        void Promise.resolve(this.onPost()).then((status) => {
          if (status === 200) this.taken.push(JSON.parse(body) as { id: string; title: string })
          response.writeHead(status).end()
        })
      })
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    servers.push(server)
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    return this.start()
  }

  async start(): Promise<this> {
    open.push(this.harness)
    const { store, bus, wallClock, log } = this.harness
    this.service = createNotificationService({
      store,
      bus,
      wallClock,
      log,
      webhook: { url: this.url, language: this.language },
    })
    await this.service.start()
    await bus.start()
    return this
  }

  async hear(...events: NewEvent[]): Promise<void> {
    for (const event of events) this.harness.store.transact((turn) => turn.publish('orders.events', event))
    await this.harness.run()
  }

  async until(done: () => boolean): Promise<void> {
    for (const end = performance.now() + 60_000; !done() && performance.now() < end;)
      await new Promise((resolve) => setTimeout(resolve, 5))
    assert.ok(done(), 'it did not happen in time')
  }

  waiting(): number {
    const rows = this.harness.store.database.prepare('SELECT count(*) AS n FROM notifications_outbox').get()!
    return rows['n'] as number
  }
}

const world = () => new World().listen()
const fill = () => orderFilled({ ...said, quantity: '1', price: '100' })

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
  }
  for (const harness of open.splice(0)) await harness.remove()
})

it('tells of what a person wants to know, and of nothing else, in order', async () => {
  const w = await world()
  const moved = balanceAdjusted(said.account, 'USDT', '-2.5')
  await w.hear(openingBalance(said.account, { USDT: '1' }), fill(), orderEnded(said, 'OrderRejected'), moved)
  await w.until(() => w.taken.length === 3)
  assert.deepEqual(
    w.taken.map(({ title }) => title),
    ['Bought 1 BINANCE:BTCUSDT', 'Order rejected: BINANCE:BTCUSDT', '2.5 USDT went out without a trade'],
  )
  await w.until(() => w.waiting() === 0)
})

it('tells in the language of whoever listens', async () => {
  const w = new World()
  w.language = 'ko'
  await w.listen()
  await w.hear(fill())
  await w.until(() => w.taken.length === 1)
  assert.equal(w.taken[0]!.title, '체결: BINANCE:BTCUSDT 매수 1')
  await w.until(() => w.waiting() === 0)
})

it('has the event on disk before the webhook is called', async () => {
  const w = await world()
  let onDisk: unknown
  w.onPost = () => {
    const reader = new DatabaseSync(w.harness.file, { readOnly: true })
    onDisk = reader.prepare('SELECT count(*) AS n FROM notifications_outbox').get()!['n']
    reader.close()
    return 200
  }
  await w.hear(fill())
  await w.until(() => w.taken.length === 1)
  assert.equal(onDisk, 1)
})

it('tries again, ever more slowly, until the webhook takes it, and holds later ones back', async () => {
  const w = await world()
  let posts = 0
  w.onPost = () => (++posts < 3 ? 503 : 200)
  await w.hear(fill(), fill())
  await w.until(() => w.harness.wallClock.waiting === 1)
  await w.harness.run(1000)
  await w.until(() => posts === 2 && w.harness.wallClock.waiting === 1)
  await w.harness.run(1000)
  assert.equal(posts, 2, 'the second wait is longer')
  await w.harness.run(1000)
  await w.until(() => w.taken.length === 2)
  assert.ok(w.taken[0]!.id < w.taken[1]!.id)
})

it('keeps what was not taken over a restart, and tells it once', async () => {
  const w = await world()
  w.onPost = () => 503
  for (let n = 0; n < 11; n++) await w.hear(orderFilled({ ...said, quantity: String(n + 1), price: '1' }, n))
  await w.until(() => w.harness.wallClock.waiting === 1)
  w.service.stop()
  assert.equal(w.harness.wallClock.waiting, 0, 'nothing keeps the process from ending')
  w.harness = w.harness.killed()
  w.onPost = () => 200
  await w.start()
  await w.until(() => w.taken.length === 11)
  assert.deepEqual(
    w.taken.map(({ title }) => title.split(' ')[1]),
    Array.from({ length: 11 }, (_, n) => String(n + 1)),
  )
  await w.until(() => w.waiting() === 0)
})

it('does not tell again what was taken while the service was stopping', async () => {
  const w = await world()
  let answer: (status: number) => void = () => undefined
  let isAsked = false
  w.onPost = () => {
    isAsked = true
    return new Promise((resolve) => (answer = resolve))
  }
  await w.hear(fill())
  await w.until(() => isAsked)
  w.service.stop()
  answer(200)
  await w.until(() => w.waiting() === 0)
  w.harness = w.harness.killed()
  await w.start()
  await w.harness.run()
  assert.equal(w.taken.length, 1)
})
