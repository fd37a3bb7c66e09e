/** The command as a developer has it: all three servers, kept by one process that other programs use them from. */
import { after, afterEach, test } from 'node:test'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { provideKafka, providePostgres, provideRedis, startRedis } from './index.ts'
import { LOOPBACK, freePort } from './ports.ts'
import { descendantsOf, identityOf } from './processes.ts'
import { leftOf, scriptArguments, startParent } from './test-parents.ts'

const MAIN = join(import.meta.dirname, 'main.ts')
const VARIABLES = ['KAFKA_BROKERS', 'REDIS_URL', 'DATABASE_URL'] as const

const folder = mkdtempSync(join(tmpdir(), 'jts-servers-test-'))
chmodSync(folder, 0o711)
after(() => rmSync(folder, { recursive: true }))

const given = VARIABLES.map((name) => [name, process.env[name]] as const)
afterEach(() => {
  for (const [name, value] of given) {
    if (value === undefined) Reflect.deleteProperty(process.env, name)
    else process.env[name] = value
  }
})

type Line = Record<'kafka' | 'redis' | 'postgres', { pid: number; url: string; brokers: string[] }>

const start = (...args: string[]) => startParent<Line>(MAIN, 'start', ...args)

test('given servers are used and not stopped; all end with a command that is killed', async () => {
  const { parent: command, line } = await start('--dir', folder)
  process.env['KAFKA_BROKERS'] = line.kafka.brokers.join(',')
  process.env['REDIS_URL'] = line.redis.url
  process.env['DATABASE_URL'] = line.postgres.url
  const patient = { answerMs: 60_000 }
  const providing = [provideKafka(patient), provideRedis(patient), providePostgres(patient)] as const
  const [kafka, redis, postgres] = await Promise.all(providing)
  assert.deepEqual(kafka.brokers, line.kafka.brokers)
  assert.equal(redis.url, line.redis.url)
  assert.equal(postgres.url, line.postgres.url)
  for (const provided of [kafka, redis, postgres]) {
    assert.equal(provided.server, undefined)
    await provided.stop()
  }

  const identitiesOf = (pids: readonly number[]): string[] => pids.flatMap((pid) => identityOf(pid) ?? [])
  const servers = [line.kafka.pid, line.redis.pid, line.postgres.pid]
  const identities = identitiesOf([...servers, ...servers.flatMap(descendantsOf)])
  // Some of PostgreSQL's own processes come and go.
  assert.equal((await leftOf(identitiesOf(servers), 0)).length, 3)
  command.kill('SIGKILL')
  assert.deepEqual(await leftOf(identities, 20_000), [])
})

test('starts only what is named, on the addresses it had, and stops it when interrupted', async () => {
  const dir = join(folder, 'twice')
  const first = await start('--dir', dir, 'redis')
  assert.deepEqual(Object.keys(first.line), ['redis'])
  first.parent.kill('SIGINT')
  assert.deepEqual(await once(first.parent, 'exit'), [0, null])
  assert.equal(identityOf(first.line.redis.pid), undefined)

  const second = await start('--dir', dir, 'redis')
  assert.equal(second.line.redis.url, first.line.redis.url)
  process.kill(second.line.redis.pid, 'SIGKILL')
  assert.deepEqual(await once(second.parent, 'exit'), [1, null])
})

test('a server of our own when none is given, and it is stopped', async () => {
  Reflect.deleteProperty(process.env, 'REDIS_URL')
  const redis = await provideRedis()
  assert.equal(redis.url, redis.server?.url)
  await redis.stop()
  assert.equal(identityOf(redis.server?.pid ?? 0), undefined)
})

test('the temporary folder of a process that was killed goes when the next one is made', async () => {
  const { parent, line } = await startParent<{ identity: string; dir: string }>(
    ...scriptArguments(`
      import { startRedis } from './index.ts'
      import { identityOf } from './processes.ts'
      const { pid, dir } = await startRedis()
      console.log(JSON.stringify({ identity: identityOf(pid), dir }))`),
  )
  const other = await startRedis()
  assert.ok(existsSync(line.dir))
  parent.kill('SIGKILL')
  assert.deepEqual(await leftOf([line.identity], 20_000), [])
  const next = await startRedis()
  assert.ok(!existsSync(line.dir) && existsSync(other.dir))
  await Promise.all([other.stop(), next.stop()])
})

test('says at once which variable names no server, without its password', async () => {
  const address = `${LOOPBACK}:${await freePort()}`
  process.env['KAFKA_BROKERS'] = address
  process.env['REDIS_URL'] = `redis://:secret@${address}`
  process.env['DATABASE_URL'] = `postgres://jts:secret@${address}/jts`
  for (const [variable, provide] of [
    ['KAFKA_BROKERS', provideKafka],
    ['REDIS_URL', provideRedis],
    ['DATABASE_URL', providePostgres],
  ] as const) {
    await assert.rejects(provide(), (error: Error) => {
      assert.match(error.message, new RegExp(`expected a server at ${variable}; found none .*ECONNREFUSED.*unset`))
      assert.doesNotMatch(error.message, /secret/)
      return true
    })
  }
})

test('a program that is missing is named, with its package and the variable to set instead', async () => {
  const path = process.env['PATH']
  process.env['PATH'] = folder
  try {
    await assert.rejects(
      startRedis(),
      /expected setpriv on this machine; found none.*apt-get install util-linux.*REDIS_URL/,
    )
  } finally {
    process.env['PATH'] = path
  }
})

test('a server ends, and its temporary folder goes, with a process that forgets it', async () => {
  const { parent, line } = await startParent<{ identity: string; dir: string }>(
    ...scriptArguments(`
      import { startRedis } from './index.ts'
      import { identityOf } from './processes.ts'
      const { pid, dir } = await startRedis()
      process.once('SIGUSR2', () => process.exit())
      setInterval(() => undefined, 60_000)
      console.log(JSON.stringify({ identity: identityOf(pid), dir }))`),
  )
  assert.ok(existsSync(line.dir))
  const gone = once(parent, 'exit')
  parent.kill('SIGUSR2')
  await gone
  assert.deepEqual(await leftOf([line.identity], 20_000), [])
  assert.ok(!existsSync(line.dir))
})
