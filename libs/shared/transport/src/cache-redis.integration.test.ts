import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLogger, silentLogger, systemClock } from '@jts/runtime'
import { provideRedis, type ProvidedRedis } from '@jts/servers'
import { cacheContract, LATE_MS, TOKEN_TIMES } from './cache/contract.ts'
import { RedisClient } from './cache/redis-client.ts'
import { RedisCache, RedisLockHint, RedisSharedBudget, RedisTokens } from './cache/redis.ts'

const log = process.env['JTS_LOG_LEVEL'] === undefined ? silentLogger : createLogger({ name: 'test' })
const randomId = (): string => randomBytes(8).toString('hex')
let server: Promise<ProvidedRedis> | undefined

cacheContract({
  name: 'Redis',
  place: async () => {
    const { url } = await (server ??= provideRedis())
    const namespace = `t${randomId()}`
    const clients: RedisClient[] = []
    return {
      clock: systemClock,
      replica: () => {
        // A machine that is busy with other tests may keep an answer waiting.
        const redis = new RedisClient({ url, namespace, log, random: Math.random, commandTimeoutMs: 5000 })
        clients.push(redis)
        return {
          cache: new RedisCache(redis),
          tokens: new RedisTokens(redis, { clock: systemClock, randomId, ...TOKEN_TIMES }),
          locks: new RedisLockHint(redis, randomId),
          budget: new RedisSharedBudget(redis, { replicas: 2, reserve: 0, lateMs: LATE_MS }),
        }
      },
      pass: (ms) => sleep(ms),
      close: async () => {
        await Promise.all(clients.map((client) => client.close()))
      },
    }
  },
  stop: async () => {
    await (await server)?.stop()
  },
})
