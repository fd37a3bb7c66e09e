/** Redis killed, stopped where it stands, emptied and set back under running replicas: slower, never twice. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Writable } from 'node:stream'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock, type Logger } from '@jts/runtime'
import { startRedis, type RedisServer } from '@jts/servers'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import pino from 'pino'
import type { Charge, HeldLock } from './cache/port.ts'
import { begun, LATE_MS, of, orders, SECOND_US, START_US, weight } from './cache/contract.ts'
import { LOST, RedisClient, type RedisDoor } from './cache/redis-client.ts'
import { RedisCache, RedisLockHint, RedisSharedBudget, RedisTokens } from './cache/redis.ts'

let server: RedisServer
/** Beside the replicas: for what a person or a fault does to Redis. */
let admin: Redis
const logged: string[] = []
const log: Logger = pino(
  { level: 'debug' },
  new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      logged.push(chunk.toString())
      done()
    },
  }),
)

before(async () => {
  server = await startRedis()
  admin = new Redis(server.url, { retryStrategy: () => 20 })
  admin.on('error', () => undefined)
})
after(async () => {
  admin.disconnect()
  await server.stop()
})

const randomId = (): string => randomBytes(8).toString('hex')
const clients = new Set<RedisClient>()
after(() => Promise.all([...clients].map((client) => client.close())))

/** Where Redis is to be missed soon. */
const HASTY = { commandTimeoutMs: 300 }

function connect(options: { url?: string; namespace?: string; commandTimeoutMs?: number } = {}): RedisClient {
  const client = new RedisClient({
    url: server.url,
    namespace: `f${randomId()}`,
    log,
    random: () => 0,
    commandTimeoutMs: 5000,
    breaker: { failures: 3, halfOpenMs: 30 },
    ...options,
  })
  clients.add(client)
  return client
}

async function until(what: string, isTrue: () => boolean | Promise<boolean>, seconds = 60): Promise<void> {
  for (const end = performance.now() + seconds * 1000; !(await isTrue()); await sleep(10)) {
    if (performance.now() > end) assert.fail(`expected within ${seconds} s: ${what}`)
  }
}

const isBack = (client: RedisClient) => (): Promise<boolean> =>
  client.ask('ping', (redis) => redis.ping()).then((answer) => answer !== LOST)

for (const [name, harm, mend] of [
  ['killed and started again', () => server.kill9(), () => server.restart()],
  ['stopped where it stands', () => server.pause(), () => server.resume()],
] as const) {
  test(`Redis ${name}: every port goes on without it, soon at once, and comes back by itself`, async () => {
    const namespace = `f${randomId()}`
    const client = connect({ namespace, ...HASTY })
    const cache = new RedisCache(client)
    const locks = new RedisLockHint(client, randomId)
    const tokens = new RedisTokens(client, { clock: systemClock, randomId })
    const budget = new RedisSharedBudget(client, { replicas: 2, reserve: 0.4 })
    const patient = new RedisCache(connect({ namespace }))
    await patient.set('key', 'value', 60_000)
    assert.equal(await patient.get('key'), 'value')
    await until('Redis answers', isBack(client))
    const atUs = await begun(budget)
    let held: HeldLock | undefined
    await until('the lock is held', async () => (held = await locks.acquire('held', 60_000)) !== undefined)

    await harm()
    for (let i = 0; i < 3; i++) assert.equal(await cache.get('key'), undefined)
    assert.notEqual(client.breakerState, 'closed')
    const from = performance.now()
    for (let i = 0; i < 100; i++) await cache.set('other', 'x', 60_000)
    assert.ok(performance.now() - from < 15_000, 'a breaker that is open costs nothing')
    await cache.delete('key')
    assert.equal(await locks.acquire('free', 60_000), undefined)
    assert.equal(await held!.renew(60_000), false)
    const token = { value: 'secret-token', validUntilUs: systemClock.nowUs() + 3_600_000_000 }
    assert.deepEqual(await tokens.obtain('kis', () => Promise.resolve(token)), token)
    const endUs = atUs + weight.lengthUs - 1
    const taken = []
    for (let i = 0; i < 3; i++) taken.push((await budget.take('b', [of(weight, 1)], endUs)).granted)
    assert.deepEqual(taken, [true, true, false], 'its own part and no more')
    assert.ok(client.failures['cache set']! >= 97)

    await mend()
    await until('Redis answers', isBack(client))
    assert.equal(client.breakerState, 'closed')
    await until('what is set is there', async () => {
      await cache.set('key', 'new', 60_000)
      return (await cache.get('key')) === 'new'
    })
    await until('what was asked in vain is given back', async () => {
      const free = await locks.acquire('free', 60_000)
      return free !== undefined
    })
    await client.close()
  })
}

test('a lock that came too late to be held is given back', async () => {
  const namespace = `f${randomId()}`
  const [client, other] = [connect({ namespace, ...HASTY }), connect({ namespace })]
  await until('Redis answers', isBack(client))
  const locks = new RedisLockHint(client, randomId)
  server.pause()
  assert.equal(await locks.acquire('x', 60_000), undefined)
  server.resume()
  await until('it is free', async () => (await new RedisLockHint(other, randomId).acquire('x', 60_000)) !== undefined)
})

test('fencing tokens rise although Redis forgets everything', async () => {
  const locks = new RedisLockHint(connect(), randomId)
  const tokens: number[] = []
  for (let i = 0; i < 20; i++) {
    const held = await locks.acquire('x', 60_000)
    tokens.push(held!.fencingToken)
    if (i % 2 === 0) await held!.release()
    else await admin.flushall()
  }
  // A new replica does not know the last one, and the time is as good.
  const held = await new RedisLockHint(connect(), randomId).acquire('x', 60_000)
  tokens.push(held!.fencingToken)
  assert.deepEqual(
    tokens,
    [...new Set(tokens)].toSorted((a, b) => a - b),
  )
})

test('a budget that was forgotten is granted again only in the next window, or when the venue has stated it', async () => {
  const budget = new RedisSharedBudget(connect(), {
    ...{ replicas: 1, reserve: 0, skewMs: 500, delayMs: 10_000, lateMs: LATE_MS },
  })
  const day = { key: 'day', lengthUs: 86_400 * SECOND_US, limit: 10 }
  await begun(budget)
  const atUs = START_US + 2 * day.lengthUs
  const take = async (charges: Charge[], afterUs: number): Promise<boolean> =>
    (await budget.take('b', charges, atUs + afterUs)).granted
  assert.equal(await take([of(day, 4)], 0), true)
  await admin.flushall()
  assert.equal(await take([of(day, 1)], 1), false)
  assert.equal(await take([of(weight, 1)], 1), false)
  await budget.settle('b', day, 4, atUs + 40 * SECOND_US)
  assert.equal(await take([of(day, 1)], 41 * SECOND_US), false, 'some may be on their way to the venue')
  await budget.settle('b', day, 4, atUs + 42 * SECOND_US)
  assert.equal(await take([of(day, 7)], 43 * SECOND_US), false)
  assert.equal(await take([of(day, 6)], 43 * SECOND_US), true)
  assert.equal(await take([of(weight, 10)], 60 * SECOND_US), true)
})

test('a question that was held up on its way does not vouch for windows that began after it', async () => {
  const namespace = `f${randomId()}`
  const a = new RedisSharedBudget(connect({ namespace, ...HASTY }), { replicas: 2, reserve: 0 })
  const b = new RedisSharedBudget(connect({ namespace }), { replicas: 2, reserve: 0, lateMs: LATE_MS })
  const beginUs = await begun(b)
  await until('the one to be held up knows the time of Redis', async () => {
    const taken = await a.take('b', [of(weight, 1)], beginUs)
    return taken.granted
  })
  const atUs = START_US + 5 * weight.lengthUs
  assert.equal((await b.take('b', [of(weight, 10)], atUs)).granted, true)
  await admin.flushall()
  server.pause()
  // Long enough ago to vouch for the window of now, were it believed.
  assert.equal((await a.take('b', [of(weight, 1)], atUs - 50 * SECOND_US)).granted, false)
  await sleep(600)
  server.resume()
  assert.equal((await b.take('b', [of(weight, 10)], atUs + 100)).granted, false)
})

test('a replica whose clock lags does not vouch for the window that others are in already', async () => {
  const budget = new RedisSharedBudget(connect(), { replicas: 2, reserve: 0, skewMs: 500, lateMs: LATE_MS })
  const atUs = await begun(budget)
  assert.equal((await budget.take('b', [of(weight, 10)], atUs)).granted, true)
  await admin.flushall()
  // As long on its way as it may be, and 400 ms by its clock.
  const thenUs = atUs - LATE_MS * 1000 - 400_000
  assert.equal((await budget.take('b', [of(weight, 10)], thenUs)).granted, false)
  assert.equal((await budget.take('b', [of(weight, 10)], atUs + 1000)).granted, false)
  assert.equal((await budget.take('b', [of(weight, 10)], atUs + weight.lengthUs)).granted, true)
})

test('neither the password nor a token is ever logged', async () => {
  const { password } = new URL(server.url)
  logged.length = 0
  const wrong = connect({ url: server.url.replace(password, 'wrong-password') })
  assert.equal(await new RedisCache(wrong).get('x'), undefined)
  await admin.config('SET', 'maxmemory', '1')
  const client = connect()
  const value = `secret-${randomId()}`
  const tokens = new RedisTokens(client, { clock: systemClock, randomId })
  const fetch = () => Promise.resolve({ value, validUntilUs: systemClock.nowUs() + 3_600_000_000 })
  assert.equal((await tokens.obtain('kis', fetch)).value, value)
  await new RedisCache(client).set('x', value, 1000)
  await tokens.discard('kis', value)
  await admin.config('SET', 'maxmemory', '0')
  assert.equal(client.breakerState, 'closed', 'an answer, though not the one that was wanted')
  const text = logged.join('')
  assert.match(text, /WRONGPASS/)
  assert.match(text, /OOM/)
  for (const secret of [password, 'wrong-password', value]) assert.ok(!text.includes(secret))
  assert.throws(
    () => connect({ url: `redis//:${password}@localhost` }),
    (error: Error) => !error.message.includes(password),
  )
  await Promise.all([client.close(), wrong.close()])
})

test('a client that was never used, or is closed in the middle of an outage, ends', async () => {
  await connect().close()
  const client = connect(HASTY)
  server.pause()
  const asking = new RedisCache(client).get('x')
  await client.close()
  assert.equal(await asking, undefined)
  assert.equal(await new RedisCache(client).get('x'), undefined)
  server.resume()
})

/** What may come between a replica and Redis. */
type Weather = 'fair' | 'cut' | 'deaf'
const REPLICAS = 2

/** `cut`: nothing arrives there. `deaf`: it is carried out, and the answer is lost. */
function doorIn(client: RedisClient, weatherOf: () => Weather): RedisDoor {
  return {
    ask: async (what, call) => {
      const weather = weatherOf()
      if (weather === 'cut') return LOST
      const answer = await client.ask(what, call)
      return weather === 'deaf' ? LOST : answer
    },
  }
}

const replicaNumber = fc.nat(REPLICAS - 1)
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('take' as const),
      /** At the same moment. */
      asks: fc.array(
        fc.record({ replica: replicaNumber, cost: fc.integer({ min: 1, max: 5 }), isOrder: fc.boolean() }),
        {
          minLength: 1,
          maxLength: 8,
        },
      ),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 20_000 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('weather' as const),
      replica: replicaNumber,
      weather: fc.constantFrom<Weather>('fair', 'fair', 'cut', 'deaf'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('settle' as const), replica: replicaNumber }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('begin again' as const), replica: replicaNumber }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('flush' as const, 'keep' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill' as const), isSetBack: fc.boolean() }) },
)

test('whatever becomes of Redis and of the way to it, no window is granted more than its limit', async () => {
  const windows = [
    { ...weight, limit: 40 },
    { ...orders, limit: 10 },
  ]
  const grants = { all: 0, replica: 0 }
  const endMs = performance.now() + 60_000
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }),
      fc.array(fc.integer({ min: 0, max: 500_000 }), { minLength: REPLICAS, maxLength: REPLICAS }),
      async (steps, lagsUs) => {
        if (performance.now() > endMs) return
        const namespace = `p${randomId()}`
        const mine = Array.from({ length: REPLICAS }, () => connect({ namespace, commandTimeoutMs: 60 }))
        const weathers: Weather[] = mine.map(() => 'fair')
        const newBudget = (i: number): RedisSharedBudget =>
          new RedisSharedBudget(
            doorIn(mine[i]!, () => weathers[i]!),
            { replicas: REPLICAS, reserve: 0.3, skewMs: 500, delayMs: 0 },
          )
        const budgets = mine.map((_, i) => newBudget(i))
        const granted = new Map<string, number>()
        let kept: Buffer | null = null
        let nowUs = await begun(budgets[0]!)
        const take = async (replica: number, cost: number, isOrder: boolean): Promise<void> => {
          const atUs = nowUs - lagsUs[replica]!
          const charges = windows.slice(0, isOrder ? 2 : 1).map((window) => of(window, cost))
          const taken = await budgets[replica]!.take('b', charges, atUs)
          if (!taken.granted) return
          grants[taken.by]++
          for (const { key, lengthUs, limit } of charges) {
            const id = `${key} ${Math.floor(atUs / lengthUs)}`
            const sum = (granted.get(id) ?? 0) + cost
            granted.set(id, sum)
            assert.ok(sum <= limit, `${id}: granted ${sum} of ${limit}`)
          }
        }
        const key = `${namespace}:budget:{b}`
        const resume = async (): Promise<void> => {
          server.resume()
          await until('both replicas are connected', async () =>
            (await Promise.all(mine.map((each) => isBack(each)()))).every(Boolean),
          )
        }
        for (const each of steps) {
          switch (each.kind) {
            case 'take':
              await Promise.all(each.asks.map(({ replica, cost, isOrder }) => take(replica, cost, isOrder)))
              break
            case 'wait':
              nowUs += each.ms * 1000
              break
            case 'weather':
              weathers[each.replica] = each.weather
              break
            case 'settle': {
              const atUs = nowUs - lagsUs[each.replica]!
              const count = granted.get(`weight ${Math.floor(atUs / weight.lengthUs)}`) ?? 0
              await budgets[each.replica]!.settle('b', weight, count, atUs)
              break
            }
            case 'begin again':
              budgets[each.replica] = newBudget(each.replica)
              break
            case 'pause':
              server.pause()
              break
            case 'resume':
              await resume()
              break
            case 'flush':
              await resume()
              await admin.flushall()
              break
            case 'keep':
              await resume()
              kept = await admin.dumpBuffer(key)
              break
            case 'kill':
              await resume()
              if (each.isSetBack && kept !== null) await admin.restore(key, 0, kept, 'REPLACE')
              await server.kill9()
              await server.restart()
              await until('the other connection is back', () => admin.status === 'ready')
              break
          }
        }
        await resume()
        for (const client of mine) {
          await client.close()
          clients.delete(client)
        }
      },
    ),
    { numRuns: 30, endOnFailure: true },
  )
  assert.ok(grants.all > 0 && grants.replica > 0, JSON.stringify(grants))
})
