/** A person's halt is written before anybody is told, and is not lost with whoever does not answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RpcError, type OrderExecutionApi } from '@jts/contracts'
import type { HaltRequest } from '@jts/contracts/orders-api'
import { silentLogger } from '@jts/runtime'
import type { SaidHalt } from '@jts/transport/store/halt-table'
import type { HaltedWithout } from './cancel-without.ts'
import { haltsKept } from './halts-kept.ts'
import { HaltsTaken } from './halts-taken.ts'
import { routedOrders } from './routed.ts'

const ENOUGH: HaltRequest = { account: '', reason: 'enough', by: 'a person', strategy: '', state: '' }
const MAIN = 'order-execution.sim.binance.main'
const OTHER = 'order-execution.sim.binance.other'
const halted = (cancelled: number) => ({ state: 'halted', cancelled, unknown: 0, open: 1, message: 'enough' })

/** The table in memory. */
class Halts {
  rows: (SaidHalt & { number: number; unit: string })[] = []
  isAway = false
  #number = 0

  async write(units: readonly string[], { account, strategy, state, reason, by }: SaidHalt): Promise<void> {
    await this.#answers()
    for (const unit of units) this.rows.push({ number: ++this.#number, unit, account, strategy, state, reason, by })
  }
  async of(unit: string) {
    await this.#answers()
    return this.rows.filter((row) => row.unit === unit).map(({ unit: _, ...row }) => row)
  }
  async taken(number: number): Promise<void> {
    await this.#answers()
    this.rows = this.rows.filter((row) => row.number !== number)
  }
  async lift(units: readonly string[], { account, strategy }: Pick<SaidHalt, 'account' | 'strategy'>): Promise<void> {
    await this.#answers()
    const isLifted = (row: SaidHalt & { unit: string }): boolean =>
      units.includes(row.unit) && row.account === account && row.strategy === strategy
    this.rows = this.rows.filter((row) => !isLifted(row))
  }
  #answers(): Promise<void> {
    return this.isAway ? Promise.reject(new Error('the database is away')) : Promise.resolve()
  }
}

type Owner = Pick<OrderExecutionApi, 'halt' | 'resume' | 'resumeStrategy'>

function run({ main, other }: { main: Owner; other: Owner }, found: Partial<HaltedWithout> = {}) {
  const halts = new Halts()
  const cancelled: string[] = []
  const owners = new Map(Object.entries({ 'sim.binance.main': main, 'sim.binance.other': other }))
  const accounts = new Map([['ema', 'sim.binance.main']])
  const kept = haltsKept(routedOrders(owners as never, accounts), {
    owners,
    accounts,
    halts,
    cancelWithout: (account, { strategy, state }) => {
      cancelled.push(`${account} ${strategy}`.trim())
      return Promise.resolve({ cancelled: 2, open: 3, unknown: 1, state, ...found })
    },
  })
  return { halts, cancelled, kept }
}

const gone: Owner = {
  halt: () => Promise.reject(new RpcError('UNAVAILABLE', 'gone')),
  resume: () => Promise.reject(new RpcError('UNAVAILABLE', 'gone')),
  resumeStrategy: () => Promise.reject(new RpcError('UNAVAILABLE', 'gone')),
}
const there: Owner = {
  halt: () => Promise.resolve(halted(1)),
  resume: () => Promise.resolve(halted(0)),
  resumeStrategy: () => Promise.resolve(halted(0)),
}

test('who does not answer has the halt on disk, is named, and its orders are cancelled from here', async () => {
  const { halts, cancelled, kept } = run({ main: gone, other: there })
  const answer = await kept.halt(ENOUGH)
  const { message, ...counts } = answer
  assert.deepEqual(counts, { state: 'halted', cancelled: 3, unknown: 1, open: 4 })
  assert.match(message, /the order execution of sim.binance.main has not confirmed it \(gone\)/)
  assert.deepEqual(cancelled, ['sim.binance.main'])
  assert.ok(halts.rows.some(({ unit, reason, by }) => unit === MAIN && reason === 'enough' && by === 'a person'))
})

test('where its broker is silent, too, the counts are what its rows say, and the answer says so', async () => {
  const { kept } = run({ main: gone, other: there }, { cancelled: 0, unasked: 'it is away' })
  const { message, ...counts } = await kept.halt(ENOUGH)
  assert.deepEqual(counts, { state: 'halted', cancelled: 1, unknown: 1, open: 4 })
  assert.match(message, /main has not confirmed it .*; what is open at its broker could not be asked \(it is away\)/)
})

test('it is written before anybody is told', async () => {
  const written: number[] = []
  const owner: Owner = {
    ...there,
    halt: () => {
      written.push(rig.halts.rows.length)
      return Promise.resolve(halted(0))
    },
  }
  const rig = run({ main: owner, other: owner })
  await rig.kept.halt(ENOUGH)
  assert.deepEqual(written, [2, 2])
})

test('a halt of one account is written and told for that one alone', async () => {
  const { halts, kept } = run({ main: gone, other: gone })
  await kept.halt({ ...ENOUGH, account: 'sim.binance.other' })
  assert.deepEqual(
    halts.rows.map(({ unit, account }) => [unit, account]),
    [[OTHER, 'sim.binance.other']],
  )
  await assert.rejects(kept.halt({ ...ENOUGH, account: 'sim.binance.none' }), { code: 'NOT_FOUND' })
  assert.equal(halts.rows.length, 1)
})

test('without a database, whoever answers is halted; it is refused where somebody else has not heard of it', async () => {
  const everybody = run({ main: there, other: there })
  everybody.halts.isAway = true
  assert.equal((await everybody.kept.halt(ENOUGH)).state, 'halted')
  const one = run({ main: gone, other: there })
  one.halts.isAway = true
  await assert.rejects(one.kept.halt(ENOUGH), { code: 'UNAVAILABLE', message: /not on disk .*sim.binance.main/ })
})

test('a resume lifts what nobody has taken yet', async () => {
  const { halts, kept } = run({ main: gone, other: there })
  await kept.halt(ENOUGH)
  await assert.rejects(kept.resume({ account: '', by: 'a person' }), { code: 'UNAVAILABLE' })
  assert.deepEqual(halts.rows, [])
})

test('a halt that only reduces is answered as halted where somebody stays so', async () => {
  const answers = (state: string): Owner => ({ ...there, halt: () => Promise.resolve({ ...halted(0), state }) })
  const { kept } = run({ main: answers('reducing'), other: answers('halted') })
  assert.equal((await kept.halt({ ...ENOUGH, state: 'reducing' })).state, 'halted')
  const silent = run({ main: answers('reducing'), other: gone }, { state: 'halted' })
  assert.equal((await silent.kept.halt({ ...ENOUGH, state: 'reducing' })).state, 'halted')
})

test('a halt of one strategy is written and told for its account alone, and lifted alone', async () => {
  const { halts, cancelled, kept } = run({ main: gone, other: gone })
  const rows = () => halts.rows.map(({ unit, account, strategy, state }) => [unit, account, strategy, state])
  const ema = { ...ENOUGH, strategy: 'ema' }
  const answer = await kept.halt({ ...ema, state: 'reducing' })
  assert.deepEqual([answer.state, answer.cancelled, answer.open], ['reducing', 2, 3])
  assert.match(answer.message, /order execution of sim.binance.main has not confirmed it/)
  assert.deepEqual(cancelled, ['sim.binance.main ema'])
  assert.deepEqual(rows(), [[MAIN, 'sim.binance.main', 'ema', 'reducing']])
  await kept.halt({ ...ENOUGH, account: 'sim.binance.main' })
  await assert.rejects(kept.resumeStrategy({ account: '', strategy: 'ema', by: '' }), { code: 'UNAVAILABLE' })
  assert.deepEqual(rows(), [[MAIN, 'sim.binance.main', '', 'halted']])
})

for (const [what, request] of [
  ['nobody runs', { strategy: 'other' }],
  ['another account runs', { strategy: 'ema', account: 'sim.binance.other' }],
] as const) {
  test(`a halt of a strategy that ${what} is refused, with those that are known, and nothing is written`, async () => {
    const { halts, kept } = run({ main: there, other: there })
    const message = /^strategy: expected one of (ema|no strategy at all), found "(other|ema)"$/
    await assert.rejects(kept.halt({ ...ENOUGH, ...request }), { code: 'NOT_FOUND', message })
    await assert.rejects(kept.resumeStrategy({ by: '', account: '', ...request }), { code: 'NOT_FOUND', message })
    assert.deepEqual(halts.rows, [])
  })
}

function unit() {
  const halts = new Halts()
  const asked: string[] = []
  const orders = {
    halt: ({ reason }: HaltRequest) => (asked.push(`halt ${reason}`), Promise.resolve(halted(asked.length))),
    resume: () => (asked.push('resume'), Promise.resolve({ ...halted(0), state: 'active' })),
    resumeStrategy: () => (asked.push('resume'), Promise.resolve({ ...halted(0), state: 'active' })),
  }
  const taken = new HaltsTaken({ halts, unit: MAIN, orders, log: silentLogger })
  return { halts, asked, taken }
}

test('a unit takes what is written for it before it goes on, and only that', async () => {
  const { halts, asked, taken } = unit()
  await halts.write([OTHER, MAIN], ENOUGH)
  await taken.untilTaken()
  assert.deepEqual(asked, ['halt enough'])
  assert.deepEqual(
    halts.rows.map((row) => row.unit),
    [OTHER],
  )
})

test('a unit does not go on while nobody can say whether it is halted', async () => {
  const { halts, asked, taken } = unit()
  await halts.write([MAIN], ENOUGH)
  halts.isAway = true
  let isOver = false
  const over = taken.untilTaken().then(() => (isOver = true))
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(isOver, false)
  halts.isAway = false
  await over
  assert.deepEqual(asked, ['halt enough'])
})

test('a halt that is written and told is carried out once, and its teller has its counts', async () => {
  const { halts, asked, taken } = unit()
  await halts.write([MAIN], ENOUGH)
  assert.equal((await taken.halt(ENOUGH)).cancelled, 1)
  await halts.write([MAIN], ENOUGH)
  await taken.untilTaken()
  assert.equal((await taken.halt(ENOUGH)).cancelled, 2)
  assert.deepEqual(asked, ['halt enough', 'halt enough'])
  // Told alone: by whoever speaks with this process itself.
  assert.equal((await taken.halt(ENOUGH)).cancelled, 3)
})

for (const strategy of ['', 'ema']) {
  const whose = strategy === '' ? '' : ' of one strategy'
  test(`a halt${whose} in the words of one that a person has lifted since is carried out anew`, async () => {
    const { halts, asked, taken } = unit()
    const enough = { ...ENOUGH, strategy }
    await halts.write([MAIN], enough)
    await taken.untilTaken()
    const by = { account: '', by: 'a person' }
    await (strategy === '' ? taken.resume(by) : taken.resumeStrategy({ ...by, strategy }))
    assert.equal((await taken.halt(enough)).cancelled, 3)
    assert.deepEqual(asked, ['halt enough', 'resume', 'halt enough'])
  })
}

test('a unit that cannot look does not answer a halt with what an earlier one in the same words was answered', async () => {
  const { halts, asked, taken } = unit()
  await halts.write([MAIN], ENOUGH)
  await taken.untilTaken()
  halts.isAway = true
  assert.equal((await taken.halt(ENOUGH)).cancelled, 2)
  assert.deepEqual(asked, ['halt enough', 'halt enough'])
})

test('a unit that cannot look is halted all the same when it is told', async () => {
  const { halts, taken } = unit()
  halts.isAway = true
  assert.equal((await taken.halt(ENOUGH)).state, 'halted')
})

test('a unit that nobody could tell finds the halt by itself', async () => {
  const { halts, asked, taken } = unit()
  await taken.start()
  await halts.write([MAIN], ENOUGH)
  while (asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  taken.stop()
  assert.deepEqual(asked, ['halt enough'])
})
