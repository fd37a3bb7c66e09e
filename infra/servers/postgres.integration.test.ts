import { after, test, type TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres, { type Sql } from 'postgres'
import { startPostgres, type PostgresServer } from './index.ts'
import { LOOPBACK, answers } from './ports.ts'
import { descendantsOf, identityOf } from './processes.ts'
import { leftOf, scriptArguments, startParent } from './test-parents.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-postgres-test-'))
chmodSync(folder, 0o711)
after(() => rmSync(folder, { recursive: true }))

/** A test that fails does not leave its server behind. */
async function started(t: TestContext, starting: Promise<PostgresServer>): Promise<PostgresServer> {
  const server = await starting
  t.after(() => server.stop())
  return server
}

async function ask<T>(url: string, question: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, connect_timeout: 60, onnotice: () => undefined })
  try {
    return await question(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

const setting = (url: string, name: string) =>
  ask(url, async (sql) => (await sql`select current_setting(${name}) as value`)[0]?.['value'] as string)

test('answers on loopback to its password, keeps what it acknowledged over a kill, and leaves nothing when it is stopped', async (t) => {
  const server = await started(t, startPostgres())
  assert.equal(await ask(server.url, async (sql) => (await sql`select 1 as one`)[0]?.['one']), 1)
  assert.equal(await ask(server.url, async (sql) => (await sql`select current_database() as it`)[0]?.['it']), 'jts')
  assert.equal(await setting(server.url, 'fsync'), 'on')
  assert.equal(await setting(server.url, 'synchronous_commit'), 'on')
  assert.equal(await setting(server.url, 'listen_addresses'), LOOPBACK)
  assert.equal(await setting(server.url, 'unix_socket_directories'), '')
  await assert.rejects(
    ask(server.url.replace(/:[^:/]*@/, ':wrong@'), (sql) => sql`select 1`),
    /password authentication failed/,
  )
  assert.match(
    readFileSync(join(server.dir, 'data/pg_hba.conf'), 'utf8'),
    /^host\s+all\s+all\s+127.0.0.1\/32\s+scram-sha-256$/m,
  )

  await ask(server.url, (sql) => sql`create table words as select 'kept' as word`)
  const processes = [server.pid, ...descendantsOf(server.pid)]
  assert.ok(processes.length > 3)
  await server.kill9()
  assert.deepEqual(
    processes.filter((pid) => identityOf(pid) !== undefined),
    [],
  )
  await server.restart()
  assert.equal(await ask(server.url, async (sql) => (await sql`select word from words`)[0]?.['word']), 'kept')

  await server.stop()
  assert.match(String(await answers(LOOPBACK, server.port, 30_000)), /ECONNREFUSED/)
  assert.ok(!existsSync(server.dir))
})

test('keeps its data and address on a folder that was given; waits for no disk only when told so', async (t) => {
  const dir = join(folder, 'kept')
  const server = await started(t, startPostgres({ dir, unsafeNoFsync: true }))
  assert.equal(await setting(server.url, 'fsync'), 'off')
  await ask(server.url, (sql) => sql`create table words as select 'kept' as word`)
  await server.stop()
  assert.ok(existsSync(server.logFile))

  const again = await started(t, startPostgres({ dir }))
  assert.equal(again.url, server.url)
  assert.equal(await setting(server.url, 'fsync'), 'on')
  assert.equal(await ask(server.url, async (sql) => (await sql`select word from words`)[0]?.['word']), 'kept')
  await assert.rejects(startPostgres({ dir }), /found postgres running there with pid \d+/)
  await again.stop()

  writeFileSync(join(dir, 'data/PG_VERSION'), '9\n')
  await assert.rejects(
    startPostgres({ dir }),
    /expected PostgreSQL 9, which made the data in .*; found \d+.*Install postgresql-9/,
  )
})

test('open connections hear nothing while it is paused, and go on after it', async (t) => {
  const server = await started(t, startPostgres({ unsafeNoFsync: true }))
  await ask(server.url, async (sql) => {
    await sql`select 1`
    server.pause()
    const answer = sql`select 2 as two`.then((rows) => rows[0]?.['two'] as number)
    assert.equal(await Promise.race([answer, sleep(500, 'nothing')]), 'nothing')
    server.resume()
    assert.equal(await answer, 2)
  })
  await server.stop()
})

test('ends with whoever started it, also when it was paused', async () => {
  const { parent, line } = await startParent<string[]>(
    ...scriptArguments(`
      import { startPostgres } from './index.ts'
      import { descendantsOf, identityOf } from './processes.ts'
      const server = await startPostgres({ dir: '${join(folder, 'orphan')}', unsafeNoFsync: true })
      server.pause()
      console.log(JSON.stringify([server.pid, ...descendantsOf(server.pid)].flatMap((pid) => identityOf(pid) ?? [])))`),
  )
  assert.ok(line.length > 3)
  assert.deepEqual(await leftOf(line, 0), line)
  parent.kill('SIGKILL')
  assert.deepEqual(await leftOf(line, 20_000), [])
})
