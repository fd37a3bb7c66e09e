/** Whatever is booked, in whatever order: the services that keep a ledger and the fold of the log alone have the same one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { NewEvent } from '@jts/contracts'
import { formatUnits, shippedInstrument, type LedgerPlain } from '@jts/model'
import { createPortfolioTracker } from '@jts/portfolio-tracker'
import { ledgers } from '@jts/portfolio-tracker/adapters/tables'
import { createRiskManagement } from '@jts/risk-management'
import { books } from '@jts/risk-management/adapters/tables'
import { Harness } from '@jts/testkit/harness'
import { balanceAdjusted, foreignFill, openingBalance, orderFilled, topicOf } from '@jts/testkit/order-events'
import { Books } from './books.ts'
import { compareLedger } from './compare.ts'

const ACCOUNT = 'sim.binance.main'
const BTC = 'BINANCE:BTCUSDT'

const amount = fc.bigInt({ min: 1n, max: 500_000_000_000n }).map(formatUnits)
const happening = fc.oneof(
  fc
    .record({ quantity: amount, price: amount, fee: amount, side: fc.constantFrom('buy' as const, 'sell' as const) })
    .map(({ fee, ...terms }): NewEvent =>
      orderFilled({
        account: ACCOUNT,
        instrument: BTC,
        ...terms,
        fee,
        feeCurrency: terms.side === 'buy' ? 'BTC' : 'USDT',
      }),
    ),
  fc.tuple(amount, amount).map(([quantity, price]): NewEvent => foreignFill(ACCOUNT, BTC, quantity, price)),
  fc
    .tuple(fc.constantFrom('USDT', 'BTC', 'BNB'), fc.constantFrom('', '-'), amount, fc.nat())
    .map(([currency, sign, text, timeUs]): NewEvent => balanceAdjusted(ACCOUNT, currency, `${sign}${text}`, timeUs)),
)

async function foldsAlike(happenings: readonly NewEvent[]): Promise<void> {
  const harness = Harness.open()
  const { store, bus, marketClock, log } = harness
  const instruments = [shippedInstrument(BTC)]
  const common = { store, bus, marketClock, log, instruments, marketTopics: [] }
  createPortfolioTracker({ ...common, equityCurrencyOf: () => 'USDT' })
  createRiskManagement({ ...common, limits: {}, approvalValidUs: 0 })
  await bus.start()
  for (const event of [openingBalance(ACCOUNT, { USDT: '1000', BTC: '0.5' }), ...happenings]) {
    store.transact((turn) => turn.publish(topicOf(event), event))
  }
  await harness.run()
  const folded = new Books()
  for (const event of await harness.events('orders.events')) folded.apply(event)
  const { ledger, adjustments } = folded.account(ACCOUNT)
  for (const table of [ledgers, books] as const) {
    const [row] = await store.all(table)
    assert.deepEqual(compareLedger(table.name, ledger, JSON.parse(row!.ledger) as LedgerPlain), [])
  }
  assert.equal(adjustments.size, new Set(happenings.filter(({ type }) => type === 'BalanceAdjusted').map(idOf)).size)
  assert.deepEqual(harness.poison, [])
  await harness.remove()
}

const idOf = ({ payload }: NewEvent): string => (payload as { adjustmentId: string }).adjustmentId

test('any fills and adjustments fold to the same ledger in the portfolio tracker, in risk and from the log', async () => {
  await fc.assert(fc.asyncProperty(fc.array(happening, { maxLength: 25 }), foldsAlike), { numRuns: 25 })
})
