/** What PostgreSQL has acknowledged and lost, and what its driver takes for an answer. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Socket } from 'node:net'
import { after, afterEach, before, test } from 'node:test'
import { inspect } from 'node:util'
import type { Sql } from 'postgres'
import { silentLogger, systemClock } from '@jts/runtime'
import { startPostgres, type PostgresServer } from '@jts/servers'
import { accepted, positions } from '../contract/transport-contract.ts'
import { connectPostgres, openPostgres } from './postgres-connection.ts'
import { PostgresStore } from './postgres.ts'

let server: PostgresServer
const opened: { end(): Promise<void> }[] = []

before(async () => {
  server = await startPostgres()
  // Its commits would put on disk what is to be lost.
  const sql = openPostgres(server.url, { max: 1 })
  await sql`ALTER SYSTEM SET autovacuum = off`
  await sql`SELECT pg_reload_conf()`
  await sql.end()
})
afterEach(async () => {
  for (const each of opened.splice(0)) await each.end()
})
after(() => server.stop())

async function open(namespace: string, sql?: Sql): Promise<{ store: PostgresStore; failures: unknown[] }> {
  const failures: unknown[] = []
  const store = await PostgresStore.open({
    url: server.url,
    namespace,
    unit: 'unit',
    owner: 'unit',
    log: silentLogger,
    wallClock: systemClock,
    fatal: (reason, cause) => failures.push({ reason, cause }),
    // Its renewals would put on disk what is to be lost.
    leaseMs: 600_000,
    ...(sql && { sql }),
  })
  opened.push({ end: () => store.abandon() })
  store.ensure([positions] as never[])
  return { store, failures }
}

async function committed(store: PostgresStore, work: () => void): Promise<void> {
  const before = store.commits
  work()
  await until('a commit', () => store.commits > before || store.isClosed)
}

async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000
  while (!(await isTrue())) {
    if (performance.now() > end) assert.fail(`expected within 60 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

/** As the database has it, beside the store. */
async function commitsOf({ shared }: PostgresStore): Promise<number> {
  const sql = openPostgres(server.url, { max: 1 })
  const [row] = await sql.unsafe(`SELECT commits FROM ${shared}.units`)
  await sql.end()
  return Number(row!['commits'])
}

/** Relaxed commits stay in PostgreSQL's memory: without its writer nothing but a durable commit brings them to the disk. */
async function stopWriter(): Promise<void> {
  const sql = openPostgres(server.url, { max: 1 })
  const [row] = await sql`SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'`
  process.kill(row!['pid'] as number, 'SIGSTOP')
  await sql.end()
}

const put = (store: PostgresStore, id: string, quantity: string) => () =>
  store.transact((turn) => turn.put(positions, { id, quantity }))
const publish = (store: PostgresStore, n: number) => () =>
  store.transact((turn) => turn.publish('orders.events', accepted('sim.binance.main', n)))

for (const [next, work] of [
  ['relaxed', put],
  ['durable', (store: PostgresStore) => publish(store, 2)],
] as const) {
  test(`relaxed commits that a crash has undone are made again before the next ${next} one, and the process goes on`, async () => {
    const { store, failures } = await open(`c${randomBytes(4).toString('hex')}`)
    await committed(store, publish(store, 1))
    await stopWriter()
    for (const n of [1, 2, 3, 4]) await committed(store, put(store, `p${n % 3}`, String(n)))
    await committed(store, () => store.transact((turn) => turn.remove(positions, { id: 'p2' })))
    const told = store.commits
    await server.kill9()
    await server.restart()
    assert.ok((await commitsOf(store)) < told, 'nothing was lost: the crash proves nothing')
    await committed(store, work(store, 'p9', '9'))
    assert.deepEqual(failures, [])
    assert.equal(store.commits, told + 1)
    assert.equal(await commitsOf(store), told + 1)
    const rows = (await store.all(positions)).map(({ id, quantity }) => `${id}=${quantity}`).sort()
    assert.deepEqual(rows, ['p0=3', 'p1=4', ...(next === 'relaxed' ? ['p9=9'] : [])])
  })
}

test('commits that were lost and cannot be made again end the process', async () => {
  const { store, failures } = await open(`c${randomBytes(4).toString('hex')}`)
  for (const n of [1, 2]) await committed(store, publish(store, n))
  await committed(store, put(store, 'p', '3'))
  const sql = openPostgres(server.url, { max: 1 })
  await sql.unsafe(`UPDATE ${store.shared}.units SET commits = 1`)
  await sql.end()
  await committed(store, put(store, 'p', '4'))
  assert.match(inspect(failures), /expected commit 3 of unit unit to be the last, found 1/)
  assert.ok(store.isClosed)
})

test('so many relaxed commits in a row are kept, and no more: then one waits for the disk', async () => {
  const { store, failures } = await open(`c${randomBytes(4).toString('hex')}`)
  await committed(store, publish(store, 1))
  await stopWriter()
  for (let n = 0; n < 103; n++) await committed(store, put(store, 'p', String(n)))
  await server.kill9()
  await server.restart()
  // The first, a hundred relaxed ones, and the one that waited.
  assert.equal(await commitsOf(store), 102)
  await committed(store, put(store, 'p', 'last'))
  assert.deepEqual([store.commits, failures], [105, []])
})

test('what `durable` was waited for is there after a crash, also when it had been committed before', async () => {
  const { store } = await open(`c${randomBytes(4).toString('hex')}`)
  await committed(store, publish(store, 1))
  await stopWriter()
  await committed(store, put(store, 'p', '1'))
  await store.durable()
  await server.kill9()
  await server.restart()
  assert.equal(await commitsOf(store), store.commits)
  const quantities = (await store.all(positions)).map(({ quantity }) => quantity)
  assert.deepEqual(quantities, ['1'])
})

test('an answer that does not name the commit is none: the commit is looked for, and made again', async () => {
  const sql = connectPostgres(server.url, 'test')
  opened.push({ end: () => sql.end({ timeout: 1 }) })
  let falsely = 2
  const asked = sql.unsafe.bind(sql)
  sql.unsafe = ((text: string, ...more: []) =>
    text.includes('commit_turn(') && text.startsWith('SELECT') && falsely-- > 0
      ? Promise.resolve([])
      : asked(text, ...more)) as typeof sql.unsafe
  const { store, failures } = await open(`c${randomBytes(4).toString('hex')}`, sql)
  await committed(store, put(store, 'p', '1'))
  assert.deepEqual([await commitsOf(store), falsely, failures], [1, -1, []])
})

for (const [size, more] of [
  ['long', ' '.repeat(2000)],
  ['short', ''],
] as const) {
  test(`a ${size} question asked between the failure of a connection and its close is answered truly or refused, and the next one answered`, async (t) => {
    // What waits for the disk may be silent for longer.
    const patient = openPostgres(server.url, { max: 1 })
    await patient`CREATE TABLE IF NOT EXISTS asked (n int)`
    await patient`TRUNCATE asked`
    await patient.end()
    const sql = openPostgres(server.url, { max: 1, backoff: () => 0.01 }, 1000)
    opened.push({ end: () => sql.end({ timeout: 1 }) })
    await until('a connection', () =>
      sql`SELECT 1`.then(
        () => true,
        () => false,
      ),
    )
    let asked: Promise<void> | undefined
    let isAnswered: boolean | undefined
    const destroy = Socket.prototype.destroy
    const mocked = t.mock.method(Socket.prototype, 'destroy', function (this: Socket, error?: Error) {
      const result = destroy.call(this, error)
      if (error === undefined) return result
      mocked.mock.restore()
      setImmediate(() => {
        // The driver sends what is long at once, and holds back what is short.
        asked = sql.unsafe(`INSERT INTO asked VALUES (1) ${more}`).then(
          () => void (isAnswered = true),
          () => void (isAnswered = false),
        )
      })
      return result
    })
    await until('the silent connection to be given up', () => asked !== undefined)
    const failures: unknown[] = []
    let found: number | undefined
    await until('the next question to be answered', async () => {
      const rows = await sql`SELECT count(*) AS count FROM asked`.catch((error: unknown) => void failures.push(error))
      if (rows !== undefined) found = Number(rows[0]!['count'])
      return found !== undefined && isAnswered !== undefined
    })
    assert.equal(isAnswered, found === 1)
    // A connection whose greeting is held back is given up as silent, and so are the ten after it.
    assert.ok(failures.length < 5, inspect(failures))
  })
}
