/** What an instance was told is on its record, and a replay of that makes the same signals and the same state. */
import assert from 'node:assert/strict'
import { afterEach, it } from 'node:test'
import { RpcError, type NewEvent, type Payload } from '@jts/contracts'
import type { LatestCandlesResponse } from '@jts/contracts/collection-api'
import type { RiskCheckRequest, RiskCheckResponse } from '@jts/contracts/risk-api'
import { accountId, shippedInstrument, strategyInstanceId } from '@jts/model'
import { defineStrategy, ema, integer, type AnyStrategy } from '@jts/strategy-kit'
import { Harness, START_US } from '@jts/testkit/harness'
import { candle, orderEnded, orderFilled, orderRef, publicTrade, topicOf } from '@jts/testkit/order-events'
import { createStrategyEngine, type StrategyEngine, type StrategyInstance } from '../index.ts'
import { recordOf, replayed } from '../testing/replayed.ts'
import type { MissingEventError } from './places.ts'
import type { Replayed } from './replay.ts'
import type { Segment } from './segments.ts'

const ACCOUNT = 'sim.binance.main'
const [BTC, ETH] = ['BINANCE:BTCUSDT', 'BINANCE:ETHUSDT']
const MINUTE = 60_000_000
const DAY = 86_400_000_000

/** Its state tells in which order it was told everything; it buys what is flat above a level, and takes back what is too dear. */
function strategyOf({ level = 100, name = 'ordered', warmUp = 0 } = {}): AnyStrategy {
  return defineStrategy({
    name,
    bars: { warmUp },
    parameters: { level: integer({ default: level }) },
    timer: '5m',
    state: () => ({ told: 0, average: ema(3), order: 0, beats: 0 }),
    onBar(bar, { state, parameters, position, buy, cancel }) {
      state.told = (state.told * 31 + bar.close) % 1_000_003
      state.average.update(bar.close)
      if (bar.close === 50) cancel(state.order)
      else if (bar.close > parameters.level && position.isFlat) state.order = buy('1', { limit: bar.close })
    },
    onTrade(trade, { state }) {
      state.told = (state.told * 31 + trade.price) % 1_000_003
    },
    onFill(fill, { state, sell }) {
      state.told = (state.told * 17 + fill.price) % 1_000_003
      if (fill.side === 'buy' && fill.price > 200) sell('1')
    },
    onTimer(_timeUs, { state }) {
      state.beats++
    },
  }) as unknown as AnyStrategy
}

const worlds: World[] = []

class World {
  harness = Harness.open()
  engine!: StrategyEngine
  definition = strategyOf()
  parameters = { level: 100 }
  source = { file: '/strategies/ordered.ts', sha256: 'first' }
  keepsMarket = false
  /** What came before the first minute; without it nothing of the past can be asked for. */
  past: readonly Payload<'Candle'>[] | undefined
  isPastAway = false
  asked: RiskCheckRequest[] = []
  answer: (request: RiskCheckRequest) => RiskCheckResponse | Promise<RiskCheckResponse> = (request) => answerTo(request)

  configs(): StrategyInstance[] {
    const { definition, parameters, source } = this
    const common = { definition, parameters, source, account: accountId(ACCOUNT) }
    const of = (name: string, instrument: string): StrategyInstance => ({
      ...common,
      instance: strategyInstanceId(name),
      instrument: shippedInstrument(instrument),
    })
    return [{ ...of('btc', BTC), timeframe: '1m' }, { ...of('eth', ETH), timeframe: '1m' }, of('btc-trades', BTC)]
  }

  async start(): Promise<this> {
    if (!worlds.includes(this)) worlds.push(this)
    const { store, bus, marketClock, wallClock, activity, log } = this.harness
    this.engine = createStrategyEngine({
      ...{ store, bus, marketClock, wallClock, activity, log, keepsMarket: this.keepsMarket },
      risk: {
        checkTradingRisk: async (request) => {
          this.asked.push(request)
          return this.answer(request)
        },
      },
      ...(this.past === undefined ? {} : { history: { latestCandles: () => this.#past() } }),
      runId: 'run',
      marketTopics: ['market-data.binance.candles', 'market-data.binance.trades'],
      instances: this.configs(),
    })
    await this.engine.start()
    await bus.start()
    this.engine.warmUp()
    await this.harness.run()
    return this
  }

  #past(): Promise<LatestCandlesResponse> {
    if (this.isPastAway) return Promise.reject(new RpcError('UNAVAILABLE', 'its source has not answered'))
    return Promise.resolve({ candles: [...this.past!], missing: 0 })
  }

  /** As after `kill -9`: nothing of the memory is left. */
  async restart(): Promise<void> {
    await this.harness.run()
    this.harness = this.harness.killed()
    await this.start()
  }

  async hear(...events: NewEvent[]): Promise<void> {
    for (const event of events) this.harness.store.transact((turn) => turn.publish(topicOf(event), event))
    await this.harness.run()
  }

  signalOf(strategy: string): string {
    return this.asked.findLast((request) => request.strategy === strategy)!.signalId
  }

  fillOf(strategy: string, price: string, side: 'buy' | 'sell' = 'buy'): NewEvent {
    const instrument = strategy === 'eth' ? ETH : BTC
    const said = { account: ACCOUNT, instrument, strategy, side, signalId: this.signalOf(strategy) }
    return orderFilled({ ...said, quantity: '1', price })
  }

  segments(instance: string): readonly Segment[] {
    return recordOf(this.harness, instance)
  }

  /** Every segment of an instance, with its strategy unless another is given. */
  replay(instance: string, definition = this.definition): Promise<Replayed[]> {
    return replayed(this.harness, instance, definition)
  }

  /** All its segments as one; equal to what was recorded. */
  async replaysEqual(instance: string): Promise<{ segments: number; inputs: number; signals: number }> {
    const found = await this.replay(instance)
    assert.deepEqual(
      found.flatMap(({ differences }) => differences),
      [],
    )
    const sum = (of: (one: Replayed) => number): number => found.reduce((total, one) => total + of(one), 0)
    return { segments: found.length, inputs: sum((one) => one.inputs), signals: sum((one) => one.signals) }
  }

  told(instance: string): number {
    const select = 'SELECT snapshot FROM strategy_instances WHERE instance = ?'
    const row = this.harness.store.database.prepare(select).get(instance)!
    return (JSON.parse(row['snapshot'] as string) as { state: { told: number } }).state.told
  }

  count(table: string): number {
    return this.harness.store.database.prepare(`SELECT count(*) AS n FROM ${table}`).get()!['n'] as number
  }
}

function answerTo(request: RiskCheckRequest, denialCode = ''): RiskCheckResponse {
  return {
    approved: denialCode === '',
    adjustedQuantity: 1,
    rejectionReason: '',
    riskScore: 0,
    denialCode,
    adjustedQuantityText: request.quantityText,
    correlationId: request.correlationId,
    signalId: request.signalId,
    validUntilUs: START_US,
    checks: [],
  }
}

const btc = (minute: number, close: number): NewEvent => candle(BTC, START_US + minute * MINUTE, close)
const eth = (minute: number, close: number): NewEvent => candle(ETH, START_US + minute * MINUTE, close)
const denied = (request: RiskCheckRequest): RiskCheckResponse => answerTo(request, 'INSUFFICIENT_CASH')
const unknown = (w: World, strategy: string): NewEvent => ({
  ...w.fillOf(strategy, '1'),
  type: 'OrderUnknown',
  payload: {
    ref: orderRef({ account: ACCOUNT, instrument: BTC, strategy, signalId: w.signalOf(strategy) }),
    clientOrderId: 'c1',
    reason: 'no answer',
  },
})

afterEach(async () => {
  for (const { harness } of worlds.splice(0)) {
    assert.deepEqual(harness.poison, [])
    await harness.remove()
  }
})

it('replays each of two instances in the order in which it was told the same events', async () => {
  const one = await new World().start()
  await one.hear(btc(1, 110), eth(1, 120))
  await one.hear(btc(2, 130), one.fillOf('btc', '210'), eth(2, 90), one.fillOf('eth', '130'), btc(3, 131))
  const other = await new World().start()
  await other.hear(eth(1, 120), btc(1, 110))
  await other.hear(other.fillOf('eth', '130'), other.fillOf('btc', '210'), btc(2, 130), btc(3, 131), eth(2, 90))
  for (const w of [one, other]) {
    for (const [name, told] of [
      ['btc', 5],
      ['eth', 4],
    ] as const) {
      const { segments, signals: compared } = await w.replaysEqual(name)
      assert.deepEqual([segments, compared], [1, name === 'btc' ? 2 : 1])
      assert.ok((await w.replaysEqual(name)).inputs >= told)
    }
  }
  for (const name of ['btc', 'eth']) assert.notEqual(one.told(name), other.told(name))
})

it('replays whatever else moves an instance: denials, cancels, ends, unknown orders, a stop, fills that it was not told', async () => {
  const w = await new World().start()
  w.answer = denied
  await w.hear(btc(1, 110))
  w.answer = answerTo
  await w.hear(btc(2, 111))
  await w.hear(unknown(w, 'btc'), btc(3, 50), btc(4, 112))
  await w.hear(
    orderEnded({ account: ACCOUNT, instrument: BTC, strategy: 'btc', signalId: w.signalOf('btc') }, 'OrderCancelled'),
  )
  await w.hear(btc(9, 113), publicTrade(BTC, 1, 99, START_US + 9 * MINUTE))
  const late = w.fillOf('btc', '113')
  await w.engine.api.stopStrategy({ instance: 'btc' })
  await w.hear(btc(10, 500), late)
  await w.engine.api.startStrategy({ instance: 'btc' })
  await w.hear(btc(11, 90), late)
  assert.deepEqual(await w.replaysEqual('btc'), { segments: 1, inputs: 12, signals: 3 })
  assert.equal((await w.replaysEqual('btc-trades')).inputs, 1)
})

it('replays an instance that was barred: what it did not come back from is on no record, and its fills were booked', async () => {
  const w = new World()
  const careful = strategyOf()
  let isBroken = true
  w.definition = {
    ...careful,
    onBar(bar, context) {
      careful.onBar!(bar, context)
      if (bar.close === 66 && isBroken) throw new Error('it broke')
    },
    onFill(fill, context) {
      careful.onFill!(fill, context)
      if (fill.price === 67 && isBroken) throw new Error('it broke')
    },
  }
  await w.start()
  await w.hear(btc(1, 66))
  await w.engine.api.startStrategy({ instance: 'btc' })
  await w.hear(btc(2, 110), btc(3, 70), btc(4, 66))
  await w.hear(w.fillOf('btc', '111'))
  await w.restart()
  await w.engine.api.startStrategy({ instance: 'btc' })
  await w.hear(btc(5, 120))
  await w.hear(w.fillOf('btc', '67', 'sell'), btc(6, 71))
  await w.engine.api.startStrategy({ instance: 'btc' })
  await w.hear(btc(7, 72))
  isBroken = false
  const { segments, signals: compared } = await w.replaysEqual('btc')
  assert.deepEqual([segments, compared], [1, 1])
})

it('replays an instance from what it had seen of the past, at its start and when it begins anew', async () => {
  const past = (minute: number, close: number) => btc(minute, close).payload as Payload<'Candle'>
  const w = new World()
  w.definition = strategyOf({ warmUp: 3 })
  w.past = [past(-2, 300), past(-1, 310), past(0, 320)]
  await w.start()
  await w.hear(btc(0, 320), btc(1, 110), btc(2, 90))
  assert.deepEqual([w.asked.length, (await w.replaysEqual('btc')).inputs], [1, 2])
  const late = w.fillOf('btc', '110')
  w.parameters = { level: 400 }
  w.isPastAway = true
  await w.restart()
  await w.hear(late, btc(3, 120))
  w.isPastAway = false
  w.past = [past(1, 110), past(2, 90), past(3, 120)]
  await w.harness.run(600)
  assert.deepEqual(await w.replaysEqual('btc'), { segments: 2, inputs: 3, signals: 1 }, 'it has heard nothing since')
  await w.restart()
  await w.hear(btc(4, 130), w.fillOf('btc', '210', 'sell'), btc(5, 500))
  assert.deepEqual(await w.replaysEqual('btc'), { segments: 3, inputs: 6, signals: 2 })
})

it('replays an instance that was warmed up by the first bars of a recording, over a kill', async () => {
  const w = new World()
  w.definition = strategyOf({ warmUp: 3 })
  await w.start()
  await w.hear(btc(1, 110), btc(2, 120))
  await w.restart()
  await w.hear(btc(3, 130), btc(4, 140))
  assert.deepEqual(await w.replaysEqual('btc'), { segments: 1, inputs: 4, signals: 1 })
})

it('replays an instance that was killed between any two of its inputs', async () => {
  const [w, undisturbed] = [await new World().start(), await new World().start()]
  const play = async (at: World, n: number): Promise<void> => {
    await at.hear(btc(n, 80 + ((n * 7919) % 30)), eth(n, 60))
    if (n % 40 === 20) await at.hear(at.fillOf('btc', '105'))
    if (n % 40 === 39) await at.hear(at.fillOf('btc', '99', 'sell'))
  }
  for (let n = 1; n <= 150; n++) {
    await play(w, n)
    await play(undisturbed, n)
    if ([1, 2, 20, 63, 64, 65, 66, 67, 128, 150].includes(n)) await w.restart()
  }
  const replayed = await w.replaysEqual('btc')
  assert.deepEqual(replayed, await undisturbed.replaysEqual('btc'))
  assert.ok(replayed.inputs > 150 && replayed.signals > 2, JSON.stringify(replayed))
  const texts = (at: World) => at.segments('eth').flatMap(({ lines }) => lines)
  assert.deepEqual(texts(w), texts(undisturbed))
})

it('goes on with the record of a signal that was not answered when it was killed', async () => {
  const w = await new World().start()
  w.answer = () => new Promise(() => undefined)
  await w.hear(btc(1, 110))
  assert.equal((await w.replaysEqual('btc')).signals, 1)
  await w.restart()
  assert.equal((await w.replaysEqual('btc')).signals, 1)
})

it('tells the first signal and the first state in which another strategy would have differed', async () => {
  const w = await new World().start()
  await w.hear(btc(1, 90), btc(2, 105), btc(3, 95))
  const [replayed] = await w.replay('btc', strategyOf({ level: 100 }))
  assert.deepEqual(replayed!.differences, [])
  const careful = strategyOf()
  const [bolder] = await w.replay('btc', {
    ...careful,
    onBar(bar, context) {
      careful.onBar!({ ...bar, close: bar.close + 6 }, context)
    },
  })
  assert.equal(bolder!.differences.length, 2)
  const [state, signal] = bolder!.differences
  assert.match(state!.at, /market-data\.binance\.candles\/BINANCE:BTCUSDT\/1$/)
  assert.match(`${state!.recorded} ${state!.replayed}`, /^a state with hash .* \{"strategy":"ordered"/)
  assert.match(signal!.at, /BTCUSDT\/2$/)
  assert.match(signal!.recorded, /^buy 1 limit at 105 gtc, price 105 \(signal /)
  assert.match(signal!.replayed, /^buy 1 limit at 111 gtc, price 105 \(signal /)
  const [silent] = await w.replay('btc', { ...careful, onBar: () => undefined })
  assert.deepEqual(silent!.differences.at(-1)!.replayed, 'nothing')
  const [broken] = await w.replay('btc', {
    ...careful,
    onBar() {
      throw new Error('it broke')
    },
  })
  assert.deepEqual(
    broken!.differences.map(({ replayed: found }) => found),
    ['it broke'],
  )
})

it('tells a cancel that was not asked for, and one that would have been', async () => {
  const w = await new World().start()
  await w.hear(btc(1, 110), btc(2, 49), btc(3, 50), btc(4, 51))
  const careful = strategyOf()
  const at = (close: number): AnyStrategy => ({
    ...careful,
    onBar(bar, context) {
      careful.onBar!(
        bar.close === close ? { ...bar, close: 50 } : bar.close === 50 ? { ...bar, close: 51 } : bar,
        context,
      )
    },
  })
  const [late] = await w.replay('btc', at(51))
  assert.deepEqual(
    late!.differences.slice(-1).map(({ recorded, replayed }) => [recorded, replayed]),
    [['a cancel of its order 1', 'nothing']],
  )
  const [early] = await w.replay('btc', at(49))
  assert.deepEqual(
    early!.differences.slice(-1).map(({ at: where, recorded, replayed }) => [where.at(-1), recorded, replayed]),
    [['2', 'nothing', 'a cancel of its order 1']],
  )
  await w.replaysEqual('btc')
})

it('tells a state that was changed behind its back, with both figures', async () => {
  const w = await new World().start()
  await w.hear(btc(1, 110))
  w.harness.store.flush()
  w.harness.store.database.exec(
    `UPDATE strategy_instances SET snapshot = json_set(snapshot, '$.state.told', 5) WHERE instance = 'btc'`,
  )
  const [{ differences }] = (await w.replay('btc')) as [Replayed]
  assert.deepEqual(
    differences.map(({ recorded, replayed }) => [recorded, replayed]),
    [['state.told = 5', 'state.told = 110']],
  )
})

it('tells that an input is missing on the record when a signal came of it', async () => {
  const w = await new World().start()
  await w.hear(btc(1, 90), btc(2, 110))
  await w.hear(w.fillOf('btc', '110'))
  w.harness.store.flush()
  const { database } = w.harness.store
  const [row] = database.prepare('SELECT lines FROM strategy_inputs').all() as [{ lines: string }]
  const [first, , third] = row.lines.split('\n')
  database.prepare('UPDATE strategy_inputs SET lines = ?').run(`${first}\n${third}\n`)
  const [{ differences }] = (await w.replay('btc')) as [Replayed]
  assert.deepEqual(
    differences.map(({ recorded, replayed }) => [recorded, replayed]),
    [['1 signals since its first start', '0 signals']],
  )
})

it('ends at an event that is missing, and at a page that is', async () => {
  const w = await new World().start()
  await w.hear(btc(1, 90), btc(2, 91), btc(3, 92))
  w.harness.store.flush()
  const { database } = w.harness.store
  const second = `(SELECT l.id FROM bus_log l JOIN bus_partitions p ON p.topic = 'market-data.binance.candles' AND l.id / 1099511627776 = p.log ORDER BY l.id LIMIT 1 OFFSET 1)`
  database.exec(`DELETE FROM bus_log WHERE id = ${second}`)
  await assert.rejects(w.replay('btc'), (error: MissingEventError) => {
    assert.match(
      error.message,
      /^expected an event at market-data.binance.candles\[\d+\]@1 in log or archive, found none there$/,
    )
    assert.equal(error.isPassed, false)
    return true
  })
  database.exec('DELETE FROM strategy_inputs')
  assert.throws(() => w.segments('btc'), /expected page 1 of the record of btc, found none/)
})

it('begins anew with other parameters, and replays each part with its own; what had not been written is no part', async () => {
  const w = await new World().start()
  await w.hear(btc(1, 110), btc(2, 90))
  await w.hear(w.fillOf('btc', '110'), btc(3, 91))
  w.parameters = { level: 200 }
  await w.restart()
  await w.restart()
  assert.equal((await w.replaysEqual('btc')).segments, 1, 'it has heard nothing yet')
  await w.hear(btc(4, 150), btc(5, 95))
  await w.restart()
  await w.hear(btc(6, 96))
  assert.deepEqual(await w.replaysEqual('btc'), { segments: 2, inputs: 7, signals: 1 })
})

it('begins another part with another file, at the state as the first had written it', async () => {
  const w = await new World().start()
  await w.hear(btc(1, 80), btc(2, 81), btc(3, 82))
  w.source = { ...w.source, sha256: 'second' }
  await w.restart()
  await w.hear(btc(4, 83))
  await w.restart()
  await w.hear(btc(5, 110))
  assert.deepEqual(await w.replaysEqual('btc'), { segments: 2, inputs: 5, signals: 1 })
  assert.deepEqual(
    w
      .segments('btc')
      .map(({ madeBy, lines }) => [madeBy.source?.sha256, lines.flatMap(({ entries }) => entries).length]),
    [
      ['first', 1],
      ['second', 4],
    ],
  )
})

it('keeps as much of the record as there is of the market, and no more', async () => {
  const w = await new World().start()
  const forEver = new World()
  forEver.keepsMarket = true
  await forEver.start()
  const rows: number[] = []
  for (let day = 0; day < 20; day++) {
    for (let n = 0; n < 70; n++) {
      const bar = candle(BTC, START_US + day * DAY + n * MINUTE, 80 + (n % 9))
      await w.hear(bar)
      await forEver.hear(bar)
    }
    rows.push(w.count('strategy_inputs'))
  }
  const { length } = w.segments('btc')
  assert.ok(length >= 7 && length <= 9, `${length} checkpoints`)
  assert.equal(rows.at(-1), rows.at(-8), 'it grows no more')
  assert.ok((await w.replaysEqual('btc')).inputs > 7 * 70)
  assert.equal(forEver.count('strategy_checkpoints'), 1)
  assert.deepEqual(await forEver.replaysEqual('btc'), { segments: 1, inputs: 1400, signals: 0 })
  const trim = `DELETE FROM bus_log WHERE id IN (SELECT l.id FROM bus_log l JOIN bus_partitions p ON p.topic = 'market-data.binance.candles' AND l.id / 1099511627776 = p.log ORDER BY l.id LIMIT 1000)`
  w.harness.store.database.exec(trim)
  await assert.rejects(w.replay('btc'), (error: MissingEventError) => error.isPassed)
})

it('an instance without a record, of an older version, begins one where it goes on', async () => {
  const w = await new World().start()
  await w.hear(btc(1, 80), btc(2, 81), btc(3, 82))
  w.harness.store.flush()
  const { database } = w.harness.store
  for (const table of ['strategy_inputs', 'strategy_checkpoints']) database.exec(`DELETE FROM ${table}`)
  database.exec(`UPDATE strategy_tails SET entry = ''`)
  await w.restart()
  assert.deepEqual(await w.replaysEqual('btc'), { segments: 0, inputs: 0, signals: 0 })
  await w.hear(btc(4, 110), btc(5, 90))
  await w.restart()
  assert.deepEqual(await w.replaysEqual('btc'), { segments: 1, inputs: 2, signals: 1 })
})
