import { after, test, type TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { startRedis, type RedisServer } from './index.ts'
import { LOOPBACK, answers, freePort } from './ports.ts'
import { identityOf } from './processes.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-redis-test-'))
after(() => rmSync(folder, { recursive: true }))

/** A test that fails does not leave its server behind. */
async function started(t: TestContext, starting: Promise<RedisServer>): Promise<RedisServer> {
  const server = await starting
  t.after(() => server.stop())
  return server
}

async function ask<T>(url: string, question: (redis: Redis) => Promise<T>, timeoutMs = 30_000): Promise<T> {
  const redis = new Redis(url, { commandTimeout: timeoutMs, retryStrategy: null, lazyConnect: true })
  let cause: unknown
  redis.on('error', (error) => (cause ??= error))
  try {
    await redis.connect()
    return await question(redis)
  } catch (error) {
    throw cause ?? error
  } finally {
    redis.disconnect()
  }
}

const ping = (server: RedisServer, timeoutMs?: number) => ask(server.url, (redis) => redis.ping(), timeoutMs)

test('answers on loopback to its password, and leaves nothing when it is stopped', async (t) => {
  const server = await started(t, startRedis())
  assert.equal(await ping(server), 'PONG')
  assert.match(new URL(server.url).hostname, /^127\.0\.0\.1$/)
  await assert.rejects(
    ask(server.url.replace(/:[^:]*@/, ':wrong@'), (redis) => redis.ping()),
    /WRONGPASS/,
  )
  assert.ok(!readFileSync(`/proc/${server.pid}/cmdline`, 'utf8').includes(new URL(server.url).password))
  assert.equal(statSync(join(server.dir, 'redis.conf')).mode & 0o077, 0)

  await server.stop()
  await server.stop()
  assert.equal(identityOf(server.pid), undefined)
  assert.match(String(await answers(LOOPBACK, server.port, 30_000)), /ECONNREFUSED/)
  assert.ok(!existsSync(server.dir))
  await assert.rejects(server.restart(), /found it removed, because it was a temporary one/)
})

test('keeps its data, port and password over a kill, a stop and a new start on the same folder', async (t) => {
  const dir = join(folder, 'kept')
  const server = await started(t, startRedis({ dir, appendOnly: 'always' }))
  await ask(server.url, (redis) => redis.set('word', 'kept'))
  const word = () => ask(server.url, (redis) => redis.get('word'))

  const former = server.pid
  await server.kill9()
  assert.match(await server.ended, /SIGKILL/)
  await server.restart()
  assert.notEqual(server.pid, former)
  assert.equal(await word(), 'kept')

  await server.stop()
  await server.restart()
  assert.equal(await word(), 'kept')
  await server.stop()

  const again = await started(t, startRedis({ dir }))
  assert.equal(again.url, server.url)
  assert.equal(await word(), 'kept')
  await again.stop()
})

test('forgets everything over a restart without its append-only file', async (t) => {
  const server = await started(t, startRedis({ appendOnly: 'off' }))
  await ask(server.url, (redis) => redis.set('word', 'kept'))
  await server.restart()
  assert.equal(await ask(server.url, (redis) => redis.get('word')), null)
  await server.stop()
})

test('takes connections and answers nothing while it is paused', async (t) => {
  const server = await started(t, startRedis())
  server.pause()
  server.pause()
  assert.equal(await answers(LOOPBACK, server.port, 30_000), true)
  await assert.rejects(ping(server, 500), /Command timed out/)
  server.resume()
  assert.equal(await ping(server), 'PONG')
  server.pause()
  await server.stop()
  assert.equal(identityOf(server.pid), undefined)
})

test('refuses a port that is in use, and a folder on which a server runs', async (t) => {
  const other = createServer().listen(await freePort(), LOOPBACK)
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  await assert.rejects(startRedis({ port }), new RegExp(`expected port ${port} to be free for redis; found it in use`))
  other.close()

  const dir = join(folder, 'one')
  const server = await started(t, startRedis({ dir, port }))
  assert.equal(server.port, port)
  await assert.rejects(startRedis({ dir }), new RegExp(`found redis running there with pid ${server.pid}. End it`))
  assert.equal(await ping(server), 'PONG')
  await server.stop()
})

test('says what its log says when it cannot start', async (t) => {
  const dir = join(folder, 'spoilt')
  const server = await started(t, startRedis({ dir }))
  await server.stop()
  rmSync(join(dir, 'appendonlydir'), { recursive: true })
  writeFileSync(join(dir, 'appendonlydir'), 'not a folder')
  await assert.rejects(startRedis({ dir }), (error: Error) => {
    assert.match(error.message, /expected redis to start on port \d+; it ended with code 1\./)
    assert.match(error.message, /The end of its log \(.*spoilt\/server\.log\):\n[^]*appendonlydir/)
    return true
  })
})
