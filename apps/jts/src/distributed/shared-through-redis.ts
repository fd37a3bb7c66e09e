/** What the processes of a run share through Redis: the venues' limits, and hints of who is at work. All of it may be lost. */
import { randomUUID } from 'node:crypto'
import type { Logger } from '@jts/runtime'
import type { LockHint, SharedBudget } from '@jts/transport/cache/port'
import { RedisLockHint, RedisSharedBudget } from '@jts/transport/cache/redis'
import { LOST, RedisClient } from '@jts/transport/cache/redis-client'
import { membersOf, redisUrlOf, type RunFile } from './run-file.ts'

export type SharedThroughRedis = {
  readonly budget: SharedBudget | undefined
  readonly hint: LockHint | undefined
  /** Of the breaker before Redis; undefined where nothing is shared. */
  breakerState(): RedisClient['breakerState'] | undefined
  /** @throws when Redis does not answer. */
  ping(): Promise<void>
  close(): Promise<void>
}

/**
 * Of each limit, for the processes' own parts: with this they go on while Redis is away, and begin before it has counted a whole
 * window.
 */
const RESERVE = 0.5
/** Besides the members: a process that joins by hand, and one that is ending. */
const OTHERS = 2

/** A replay, and a market that runs at a speed of its own, count by the venue alone and share nothing. */
export function shareThroughRedis(run: RunFile, log: Logger): SharedThroughRedis {
  const url = run.speed === undefined ? redisUrlOf(run) : undefined
  if (url === undefined) {
    const nothing = (): Promise<void> => Promise.resolve()
    return { budget: undefined, hint: undefined, breakerState: () => undefined, ping: nothing, close: nothing }
  }
  const client = new RedisClient({ url, namespace: run.namespace, log, random: Math.random })
  const replicas = membersOf(run, 'binance-service').length + OTHERS
  return {
    budget: new RedisSharedBudget(client, { replicas, reserve: RESERVE }),
    hint: new RedisLockHint(client, randomUUID),
    breakerState: () => client.breakerState,
    ping: async () => {
      if ((await client.ask('ping', (redis) => redis.ping())) === LOST) throw new Error('found no answer')
    },
    close: () => client.close(),
  }
}
