/** A broker that gives one token a minute, two replicas, and a shared place that comes and goes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock as clock } from '@jts/runtime'
import { START_US } from './contract.ts'
import { standStill } from './standing-time.ts'
import { MemoryTokens } from './memory.ts'
import { TokenUnavailableError, type Token } from './port.ts'
import { TokenKeeper, type TokenPlace } from './token-keeper.ts'

const DAY_MS = 86_400_000

function setup() {
  const asked: number[] = []
  const state = { isLost: false, token: undefined as Token | undefined, claimUntilUs: 0, holder: '' }
  const place: TokenPlace = {
    look: (_, holder, claimMs, validPastUs) => {
      if (state.isLost) return Promise.resolve('lost')
      if (state.token !== undefined && state.token.validUntilUs > validPastUs) return Promise.resolve(state.token)
      if (claimMs === 0 || clock.nowUs() < state.claimUntilUs) return Promise.resolve('taken')
      Object.assign(state, { claimUntilUs: clock.nowUs() + claimMs * 1000, holder })
      return Promise.resolve('ours')
    },
    end: (_, holder, token, claimMs) => {
      if (state.isLost) return Promise.resolve()
      if (token !== undefined) state.token = token
      if (state.holder === holder) state.claimUntilUs = clock.nowUs() + claimMs * 1000
      return Promise.resolve()
    },
    remove: (_, value) => {
      if (state.isLost) return Promise.resolve(false)
      if (state.token?.value === value) state.token = undefined
      return Promise.resolve(true)
    },
  }
  let ids = 0
  const options = { clock, randomId: () => `${++ids}`, askIntervalMs: 60_000 }
  const fetch = async (): Promise<Token> => {
    const count = asked.push((clock.nowUs() - START_US) / 1e6)
    await new Promise<void>((resolve) => clock.after(1000, resolve))
    return { value: `t${count}`, validUntilUs: clock.nowUs() + DAY_MS * 1000 }
  }
  const replica = (): TokenKeeper => new TokenKeeper(place, options)
  return { run: standStill(START_US), asked, state, options, fetch, replica }
}

test('two replicas ask once a minute between them, whatever becomes of the asking', async () => {
  const { run, asked, fetch, replica } = setup()
  const [a, b] = [replica(), replica()]
  const failing = a.obtain('kis', async () => {
    await fetch()
    throw new Error('refused')
  })
  const waiting = b.obtain('kis', fetch)
  waiting.catch(() => undefined)
  const failed = assert.rejects(failing, /refused/)
  await run(20_000)
  await failed
  await assert.rejects(waiting, TokenUnavailableError)
  assert.deepEqual(asked, [0])
  await run(35_000)
  const later = Promise.all([a.obtain('kis', fetch), b.obtain('kis', fetch)])
  await run(10_000)
  assert.deepEqual(
    (await later).map((token) => token.value),
    ['t2', 't2'],
  )
  assert.equal(asked.length, 2)
  assert.ok(asked[1]! >= 60)
})

test('without the shared place each replica asks for itself, once; but not while another is known to have asked', async () => {
  const { run, asked, state, fetch, replica } = setup()
  const [a, b, c] = [replica(), replica(), replica()]
  const first = a.obtain('kis', fetch)
  const waiting = b.obtain('kis', fetch)
  waiting.catch(() => undefined)
  await run(500)
  state.isLost = true
  const alone = [c.obtain('kis', fetch), c.obtain('kis', fetch)]
  await run(16_000)
  assert.equal((await first).value, 't1')
  assert.deepEqual(
    (await Promise.all(alone)).map((token) => token.value),
    ['t2', 't2'],
  )
  await assert.rejects(waiting, TokenUnavailableError)
  await run(45_000)
  const after = b.obtain('kis', fetch)
  await run(2000)
  assert.equal((await after).value, 't3')
  assert.equal((await a.obtain('kis', fetch)).value, 't1')
  assert.equal(asked.length, 3)
})

test('a token refused while the shared place is away is removed there before it is asked again', async () => {
  const { run, state, fetch, replica } = setup()
  const a = replica()
  const first = a.obtain('kis', fetch)
  await run(1000)
  state.isLost = true
  await a.discard('kis', (await first).value)
  await run(60_000)
  state.isLost = false
  const second = a.obtain('kis', fetch)
  await run(1000)
  assert.equal((await second).value, 't2')
  assert.equal(state.token?.value, 't2')
})

test('in memory: one asking for all who wait, a new one shortly before the end, none sooner than the interval', async () => {
  const { run, asked, options, fetch } = setup()
  const tokens = new MemoryTokens(options)
  const three = Promise.all([1, 2, 3].map(() => tokens.obtain('kis', fetch)))
  await run(1000)
  assert.deepEqual(new Set((await three).map((token) => token.value)), new Set(['t1']))
  await run(DAY_MS - 61_000, DAY_MS)
  assert.equal((await tokens.obtain('kis', fetch)).value, 't1')
  await run(1000)
  const renewed = tokens.obtain('kis', fetch)
  await run(1000)
  assert.equal((await renewed).value, 't2')
  await tokens.discard('kis', 't2')
  const tooSoon = tokens.obtain('kis', fetch)
  const refused = assert.rejects(tooSoon, /asked for already/)
  await run(16_000)
  await refused
  assert.equal(asked.length, 2)
})
