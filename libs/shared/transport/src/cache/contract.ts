/** What the shared ports promise, on whatever engine stands behind them. Each engine's test file runs this. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { WallClock } from '@jts/runtime'
import fc from 'fast-check'
import type { BudgetWindow, Cache, Charge, LockHint, SharedBudget, Token, Tokens } from './port.ts'
import { TokenUnavailableError } from './port.ts'

/** As one replica has them. */
export type Replica = {
  readonly cache: Cache
  readonly tokens: Tokens
  readonly locks: LockHint
  /** Its whole limit is shared. */
  readonly budget: SharedBudget
}

export type CachePlace = {
  readonly clock: WallClock
  /** Another replica at the same place. */
  replica(): Replica
  pass(ms: number): Promise<void>
  close(): Promise<void>
}

const ASK_INTERVAL_MS = 60
const MARGIN_MS = 20
export const TOKEN_TIMES = {
  askIntervalMs: ASK_INTERVAL_MS,
  marginMs: MARGIN_MS,
  fetchMs: 2000,
  waitMs: 5000,
  pollMs: 5,
}

/** For a budget: as long as a machine that is busy with other tests may take, below the window that `begun` passes over. */
export const LATE_MS = 30_000

export type CacheEngine = { readonly name: string; place(): Promise<CachePlace>; stop?(): Promise<void> }

export const SECOND_US = 1_000_000
/** Where a minute and a day begin. */
export const START_US = 20_000 * 86_400 * SECOND_US
const MINUTE_US = 60 * SECOND_US

export const weight: BudgetWindow = { key: 'weight', lengthUs: MINUTE_US, limit: 10 }
export const orders: BudgetWindow = { key: 'orders', lengthUs: 10 * SECOND_US, limit: 3 }
export const of = (window: BudgetWindow, cost: number, share = 1): Charge => ({ ...window, cost, share })

export function cacheContract(engine: CacheEngine): void {
  after(() => engine.stop?.())
  const each = (name: string, body: (place: CachePlace) => Promise<void>): void => {
    test(`${engine.name}: ${name}`, async () => {
      const place = await engine.place()
      try {
        await body(place)
      } finally {
        await place.close()
      }
    })
  }

  each('a value is read by every replica until it is deleted, replaced or old', async (place) => {
    const [a, b] = [place.replica().cache, place.replica().cache]
    assert.equal(await a.get('한글 "key"'), undefined)
    await a.set('한글 "key"', 'first\n', 60_000)
    await b.set('한글 "key"', '', 60_000)
    assert.equal(await a.get('한글 "key"'), '')
    await b.delete('한글 "key"')
    assert.equal(await a.get('한글 "key"'), undefined)
    await a.set('short', 'x', 30)
    await place.pass(50)
    assert.equal(await b.get('short'), undefined)
    await a.set('none', 'x', 60_000)
    await a.set('none', 'x', 0)
    assert.equal(await a.get('none'), undefined)
  })

  each('replicas that need a token at the same time ask for one', async (place) => {
    const fetch = fetching(place, 100_000)
    const [a, b] = [place.replica().tokens, place.replica().tokens]
    const tokens = await Promise.all([a, b, a, b].map((each) => each.obtain('kis', fetch)))
    assert.deepEqual(new Set(tokens.map((token) => token.value)), new Set(['t1']))
    assert.equal((await place.replica().tokens.obtain('kis', fetch)).value, 't1')
    assert.equal((await place.replica().tokens.obtain('kis of another account', fetch)).value, 't2')
  })

  each('a token is asked for again before its end, and not sooner than the interval after the last', async (place) => {
    const fetch = fetching(place, MARGIN_MS + 20)
    const { tokens } = place.replica()
    const askedAtUs = place.clock.nowUs()
    assert.equal((await tokens.obtain('kis', fetch)).value, 't1')
    await place.pass(25)
    assert.equal((await tokens.obtain('kis', fetch)).value, 't2')
    assert.ok(place.clock.nowUs() - askedAtUs >= (ASK_INTERVAL_MS - 5) * 1000)
  })

  each('a refused token is not handed out again, and one that came after it stays', async (place) => {
    const fetch = fetching(place, 100_000)
    const [a, b] = [place.replica().tokens, place.replica().tokens]
    const { value } = await a.obtain('kis', fetch)
    await b.obtain('kis', fetch)
    await a.discard('kis', value)
    assert.equal((await a.obtain('kis', fetch)).value, 't2')
    await b.discard('kis', value)
    assert.equal((await b.obtain('kis', fetch)).value, 't2')
  })

  each('an asking that fails says why, and the next one waits for its turn', async (place) => {
    const { tokens } = place.replica()
    const beforeUs = place.clock.nowUs()
    await assert.rejects(
      tokens.obtain('kis', () => Promise.reject(new Error('EGW00133'))),
      /EGW00133/,
    )
    await place.replica().tokens.obtain('kis', fetching(place, 100_000))
    assert.ok(place.clock.nowUs() - beforeUs >= (ASK_INTERVAL_MS - 5) * 1000)
    const never = tokens.obtain('other', () => new Promise<Token>(() => undefined))
    await assert.rejects(never, TokenUnavailableError)
  })

  each('one holds a lock until it is released or old; only the holder renews and releases it', async (place) => {
    const [a, b] = [place.replica().locks, place.replica().locks]
    const first = await a.acquire('history', 60_000)
    assert.ok(first)
    assert.equal(await b.acquire('history', 60_000), undefined)
    assert.ok(await b.acquire('another', 60_000))
    assert.equal(await first.renew(30), true)
    await place.pass(50)
    assert.equal(await first.renew(60_000), false)
    const second = await b.acquire('history', 60_000)
    assert.ok(second)
    assert.equal(await first.renew(60_000), false)
    await first.release()
    assert.equal(await a.acquire('history', 60_000), undefined)
    await second.release()
    const third = await a.acquire('history', 60_000)
    assert.ok(third)
    assert.ok(first.fencingToken < second.fencingToken && second.fencingToken < third.fencingToken)
  })

  each('a request takes room in each of its windows or in none, until the next begin', async (place) => {
    const { budget } = place.replica()
    const atUs = await begun(budget)
    const order = [of(weight, 1), of(orders, 1)]
    for (let i = 0; i < 3; i++) assert.equal((await budget.take('b', order, atUs + i)).granted, true)
    assert.deepEqual(await budget.take('b', order, atUs + 3), { granted: false, lookAgainUs: atUs + orders.lengthUs })
    assert.equal((await budget.take('b', [of(weight, 7)], atUs + 4)).granted, true)
    assert.deepEqual(await budget.take('b', order, atUs + 5), { granted: false, lookAgainUs: atUs + weight.lengthUs })
    assert.equal((await budget.take('b', [], atUs + 5)).granted, true)
    await begun(budget, 'other')
    assert.equal((await budget.take('other', order, atUs)).granted, true)
    assert.equal((await budget.take('b', [of(weight, 10)], atUs + weight.lengthUs)).granted, true)
  })

  each('a share keeps room for what matters more, and what can never fit is told so', async (place) => {
    const { budget } = place.replica()
    const atUs = await begun(budget)
    assert.equal((await budget.take('b', [of(weight, 5, 0.5)], atUs)).granted, true)
    assert.equal((await budget.take('b', [of(weight, 1, 0.5)], atUs)).granted, false)
    assert.equal((await budget.take('b', [of(weight, 5)], atUs)).granted, true)
    assert.deepEqual(await budget.take('b', [of(weight, 6, 0.5)], atUs), { granted: false, lookAgainUs: Infinity })
    await assert.rejects(async () => budget.take('b', [of(weight, 0.1)], atUs), RangeError)
  })

  each('the count that the venue states raises ours, in its own window only', async (place) => {
    const [a, b] = [place.replica().budget, place.replica().budget]
    const atUs = await begun(a)
    await a.take('b', [of(weight, 2)], atUs)
    await a.settle('b', weight, 9, atUs)
    await b.settle('b', weight, 1, atUs)
    await b.settle('b', weight, Number.NaN, atUs)
    assert.equal((await b.take('b', [of(weight, 2)], atUs)).granted, false)
    assert.equal((await b.take('b', [of(weight, 1)], atUs)).granted, true)
    const nextUs = atUs + weight.lengthUs
    assert.equal((await b.take('b', [of(weight, 1)], nextUs)).granted, true)
    await a.settle('b', weight, 10, atUs)
    assert.equal((await b.take('b', [of(weight, 9)], nextUs)).granted, true)
    const late = await a.take('b', [of(weight, 1)], atUs)
    assert.equal(late.granted, false, 'a window in which another has gone on is over')
  })

  each('replicas at the same time are never granted more than the limit, and all of it in turn', async (place) => {
    const replicas = [place.replica().budget, place.replica().budget]
    let atUs = await begun(replicas[0]!)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ replica: fc.nat(1), cost: fc.integer({ min: 1, max: 4 }) }), { maxLength: 12 }),
        async (asks) => {
          atUs += weight.lengthUs
          const taken = await Promise.all(
            asks.map(({ replica, cost }) => replicas[replica]!.take('b', [of(weight, cost)], atUs)),
          )
          const used = asks.reduce((sum, { cost }, i) => sum + (taken[i]!.granted ? cost : 0), 0)
          assert.ok(used <= weight.limit)
          const refused = asks.filter((_, i) => !taken[i]!.granted)
          for (const { cost } of refused) assert.ok(used + cost > weight.limit)
        },
      ),
      { numRuns: 50 },
    )
  })
}

/** Tokens `t1`, `t2`, … of this life. */
function fetching({ clock, pass }: CachePlace, lifeMs: number): () => Promise<Token> {
  let count = 0
  return async () => {
    count++
    const value = `t${count}`
    await pass(5)
    return { value, validUntilUs: clock.nowUs() + lifeMs * 1000 }
  }
}

/** The beginning of windows that are wholly known, whatever may have been forgotten before. */
export async function begun(budget: SharedBudget, name = 'b'): Promise<number> {
  await budget.take(name, [of(weight, 1)], START_US)
  return START_US + 2 * weight.lengthUs
}
