/** The stream of risk checks: the answers of single calls, under the numbers of their questions. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, it } from 'node:test'
import { RpcError } from '@jts/contracts'
import { RiskCheckRequest, type RiskCheckResponse } from '@jts/contracts/risk-api'
import { shippedInstrument } from '@jts/model'
import { Harness, START_US } from '@jts/testkit/harness'
import { candle, openingBalance } from '@jts/testkit/order-events'
import { createRiskManagement, type RiskManagement } from './index.ts'

const ACCOUNT = 'sim.binance.main'
const BTC = 'BINANCE:BTCUSDT'
let harness: Harness
let risk: RiskManagement

beforeEach(async () => {
  harness = Harness.open()
  const { store, bus, marketClock, log } = harness
  risk = createRiskManagement({
    store,
    bus,
    marketClock,
    log,
    limits: {},
    instruments: [shippedInstrument(BTC)],
    marketTopics: ['market-data.binance.candles'],
    approvalValidUs: 10_000_000,
  })
  await risk.start()
  await bus.start()
  store.transact((turn) => {
    turn.publish('orders.events', openingBalance(ACCOUNT, { USDT: '1000' }))
    turn.publish('market-data.binance.candles', candle(BTC, START_US, 100))
  })
  await harness.run()
})

afterEach(() => harness.remove())

const question = (number: number, changes: Partial<RiskCheckRequest> = {}): RiskCheckRequest =>
  RiskCheckRequest.create({
    correlationId: `c-${number}`,
    symbol: BTC,
    side: 'buy',
    account: ACCOUNT,
    strategy: 'one',
    signalId: `s-${number}`,
    quantityText: '1',
    priceText: '100',
    signalTimeUs: START_US,
    requestNumber: number,
    ...changes,
  })

type Streaming = {
  streamTradingRiskChecks(requests: AsyncIterable<RiskCheckRequest>): AsyncIterable<RiskCheckResponse>
}

async function stream(...questions: RiskCheckRequest[]): Promise<RiskCheckResponse[]> {
  async function* requests(): AsyncIterable<RiskCheckRequest> {
    yield* await Promise.resolve(questions)
  }
  const answers: RiskCheckResponse[] = []
  for await (const answer of (risk.api as unknown as Streaming).streamTradingRiskChecks(requests()))
    answers.push(answer)
  return answers
}

it('answers each question under its number, as a call of its own would', async () => {
  const questions = [question(7), question(8, { quantityText: '100' }), question(9)]
  const answers = await stream(...questions)
  assert.deepEqual(
    answers.map(({ requestNumber, signalId, approved }) => [requestNumber, signalId, approved]),
    [
      [7, 's-7', true],
      [8, 's-8', false],
      [9, 's-9', true],
    ],
  )
  for (const [i, { requestNumber, ...asked }] of questions.entries()) {
    assert.deepEqual(answers[i], { ...(await risk.api.checkTradingRisk(asked)), requestNumber })
  }
})

it('says what is wrong with one question in its answer, and goes on', async () => {
  const wrong = question(2, { side: 'hold' })
  const [first, refused, last] = await stream(question(1), wrong, question(3))
  const alone = await risk.api.checkTradingRisk(wrong).catch((error: unknown) => error)
  assert.ok(alone instanceof RpcError)
  assert.equal(refused!.requestNumber, 2)
  assert.equal(refused!.approved, false)
  assert.deepEqual(refused!.error, { code: alone.code, message: alone.message })
  assert.deepEqual([first!.approved, last!.approved], [true, true])
})

it('answers a repeated question the same under its new number, and refuses other content under the old signal', async () => {
  const [first, again, other] = await stream(
    question(1),
    question(1, { requestNumber: 2 }),
    question(1, { requestNumber: 3, quantityText: '2' }),
  )
  assert.deepEqual({ ...again!, requestNumber: 1 }, first)
  assert.equal(other!.error?.code, 'ALREADY_EXISTS')
})

it('knows a question without a time of its own again, although time has passed', async () => {
  const untimed = question(1, { signalTimeUs: 0 })
  const [first] = await stream(untimed)
  await harness.run(5000)
  const [again] = await stream(untimed)
  assert.equal(first!.approved, true)
  assert.deepEqual(again, first)
})
