/** Orders, cancels and amendments, their notices and their fills. */
import { ceilToStep, floorToStep, floorToTick, unitsFromFloat, type ClientOrderId, type Units } from '@jts/model'
import type {
  AdjustmentReport,
  BrokerListener,
  FillReport,
  OrderReport,
  PlaceOrderIntent,
  PlaceOutcome,
} from '../../port.ts'
import { expectEqual, expectSoon, expectTrue, pause, Unmet, type SuiteCase, type SuiteTarget } from '../suite.ts'
import { timeframeOf } from './reading.ts'

let counter = 0
/** No case trades in it. */
const MOVED = 'BNB'
const newId = ({ prefix }: SuiteTarget): ClientOrderId => `${prefix}-${++counter}` as ClientOrderId
const SEND_WITHIN_US = 10_000_000

export function windowOf({ broker, clock }: SuiteTarget): { intentTimeUs: number; sendBeforeUs: number } {
  const intentTimeUs = Math.round(clock.nowUs() + broker.clockOffsetUs())
  return { intentTimeUs, sendBeforeUs: intentTimeUs + SEND_WITHIN_US }
}

/** The smallest size that the venue takes at this price, in whole lots. */
async function smallest(target: SuiteTarget, price: Units): Promise<Units> {
  const [found] = await target.market.instruments([target.instrument])
  const { quantityMin, lotSize, notionalMin } = found!
  const byNotional = price === 0n ? 0n : (notionalMin * 120_000_000n) / price
  const least = quantityMin > byNotional ? quantityMin : byNotional
  const whole = ceilToStep(least, lotSize)
  return whole > 0n ? whole : lotSize
}

async function last(target: SuiteTarget): Promise<number> {
  const { market, instrument } = target
  const [bar] = await market.candles({ instrument, timeframe: timeframeOf(target), limit: 1 })
  if (bar === undefined) throw new Unmet('a last price', 'a bar', undefined)
  return bar.close
}

/** A buy so far below the market that it rests. */
export async function farBuy(target: SuiteTarget, share = 0.8): Promise<PlaceOrderIntent> {
  const [found] = await target.market.instruments([target.instrument])
  const limitPrice = floorToTick(found!, unitsFromFloat((await last(target)) * share))
  const { timeInForce } = target.broker.capabilities
  return {
    clientOrderId: newId(target),
    instrument: target.instrument,
    side: 'buy',
    type: 'limit',
    timeInForce: timeInForce.includes('gtc') ? 'gtc' : 'day',
    quantity: await smallest(target, limitPrice),
    limitPrice,
    ...windowOf(target),
  }
}

async function marketOrder(target: SuiteTarget, side: 'buy' | 'sell'): Promise<PlaceOrderIntent> {
  const price = unitsFromFloat(await last(target))
  const base = (await smallest(target, price)) * 2n
  const sizes = side === 'buy' ? target.broker.capabilities.marketBuySizes : target.broker.capabilities.marketSellSizes
  const size = sizes.includes('base') ? { quantity: base } : { quoteQuantity: ((base / 1_000_000n) * price) / 100n }
  const order = { clientOrderId: newId(target), instrument: target.instrument, side, type: 'market' } as const
  return { ...order, ...size, ...windowOf(target) }
}

function accepted(outcome: PlaceOutcome): Extract<PlaceOutcome, { kind: 'accepted' }> {
  if (outcome.kind !== 'accepted') throw new Unmet('the order', 'accepted', outcome)
  return outcome
}

const name = ({ instrument, clientOrderId }: PlaceOrderIntent) => ({ instrument, clientOrderId })

async function cancel(target: SuiteTarget, order: PlaceOrderIntent) {
  return target.broker.cancelOrder({ ...name(order), cancelId: newId(target), ...windowOf(target) })
}

async function queried(target: SuiteTarget, order: PlaceOrderIntent): Promise<OrderReport> {
  const found = await target.broker.queryOrder(name(order))
  if (found.kind !== 'found') throw new Unmet('the query', 'found', found)
  return found.report
}

/** The order as it ends, for venues that answer before they have matched. */
async function ended(target: SuiteTarget, order: PlaceOrderIntent): Promise<OrderReport> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const report = await queried(target, order)
    if (!isOpen(report)) return report
    await pause(target.clock, 50)
  }
  throw new Unmet('the order', 'ended within 5 s', await queried(target, order))
}

const isOpen = ({ status }: OrderReport): boolean => status === 'accepted' || status === 'partially_filled'
const far = { group: 'orders', needs: 'far' } as const
const full = { group: 'orders', needs: 'full' } as const

export const TRADING: readonly SuiteCase[] = [
  {
    ...far,
    title: 'a limit order rests, is found and listed, and is cancelled once',
    run: async (target) => {
      const order = await farBuy(target)
      const { report } = accepted(await target.broker.placeOrder(order))
      expectEqual('status', report.status, 'accepted')
      expectEqual('id', report.clientOrderId, order.clientOrderId)
      expectEqual('query', (await queried(target, order)).venueOrderId, report.venueOrderId)
      const open = await target.broker.openOrders(order.instrument)
      expectTrue(
        'listed as open',
        open.some((one) => one.clientOrderId === order.clientOrderId),
        open,
      )
      const cancelled = await cancel(target, order)
      expectEqual('cancel', cancelled.kind, 'cancelled')
      expectEqual('second cancel', (await cancel(target, order)).kind, 'not_open')
      expectEqual('status', (await ended(target, order)).status, 'cancelled')
    },
  },
  {
    ...far,
    title: 'past sendBefore nothing is sent',
    run: async (target) => {
      const order = await farBuy(target)
      const late = {
        ...order,
        intentTimeUs: order.intentTimeUs - 20_000_000,
        sendBeforeUs: order.intentTimeUs - 10_000_000,
      }
      const outcome = await target.broker.placeOrder(late)
      expectEqual('outcome', outcome.kind === 'not_sent' ? outcome.code : outcome, 'TOO_LATE')
      expectEqual('query', (await target.broker.queryOrder(name(order))).kind, 'not_found')
    },
  },
  {
    ...far,
    title: 'what the caller says last, right before the write, keeps an order off the wire',
    run: async (target) => {
      const order = await farBuy(target)
      const refusal = { kind: 'not_sent', code: 'STALE_LEASE', message: 'taken over' } as const
      expectEqual('outcome', await target.broker.placeOrder(order, () => refusal), refusal)
      expectEqual('query', (await target.broker.queryOrder(name(order))).kind, 'not_found')
    },
  },
  {
    ...far,
    title: 'an order that says two sizes, none, or a price too many is never sent',
    run: async (target) => {
      const { quantity, limitPrice, timeInForce, ...rest } = await farBuy(target)
      const sized = { quantity: quantity!, limitPrice: limitPrice!, timeInForce: timeInForce! }
      const wrong: PlaceOrderIntent[] = [
        { ...rest, ...sized, quoteQuantity: quantity! },
        { ...rest, limitPrice: limitPrice! },
        { ...rest, quantity: quantity! },
        { ...rest, ...sized, type: 'market' },
      ]
      for (const order of wrong) {
        const outcome = await target.broker.placeOrder({ ...order, clientOrderId: newId(target) })
        expectEqual('outcome', outcome.kind === 'not_sent' ? outcome.code : outcome, 'INVALID')
      }
    },
  },
  {
    ...far,
    title: 'a halted gate refuses new orders and lets cancels pass',
    run: async (target) => {
      const resting = await farBuy(target)
      accepted(await target.broker.placeOrder(resting))
      target.broker.setGate('halted')
      try {
        const outcome = await target.broker.placeOrder(await farBuy(target))
        expectEqual('outcome', outcome.kind === 'not_sent' ? outcome.code : outcome, 'GATE_HALTED')
        expectEqual('cancel', (await cancel(target, resting)).kind, 'cancelled')
      } finally {
        target.broker.setGate('open')
      }
    },
  },
  {
    ...far,
    title: 'an order that never was is not found, and cannot be cancelled',
    run: async (target) => {
      const order = await farBuy(target)
      expectEqual('query', await target.broker.queryOrder(name(order)), { kind: 'not_found' })
      expectEqual('cancel', (await cancel(target, order)).kind, 'not_open')
    },
  },
  {
    ...far,
    title: 'a size below a lot is rejected by the venue, or by us before it is sent',
    run: async (target) => {
      const order = await farBuy(target)
      const outcome = await target.broker.placeOrder({ ...order, quantity: 1n })
      expectTrue('rejected or not sent', outcome.kind === 'rejected' || outcome.kind === 'not_sent', outcome)
    },
  },
  {
    ...far,
    group: 'amendments',
    title: 'an amended order goes on under the new id',
    supported: ({ amend }) => amend,
    run: async (target) => {
      const order = await farBuy(target, 0.8)
      accepted(await target.broker.placeOrder(order))
      const { limitPrice } = await farBuy(target, 0.78)
      const amendId = newId(target)
      const outcome = await target.broker.amendOrder?.({
        ...name(order),
        amendId,
        limitPrice: limitPrice!,
        ...windowOf(target),
      })
      if (outcome?.kind !== 'amended') throw new Unmet('the amendment', 'amended', outcome)
      expectEqual('id', outcome.order.clientOrderId, amendId)
      const amended = { ...order, clientOrderId: amendId }
      expectEqual('status', (await queried(target, amended)).status, 'accepted')
      expectEqual('cancel', (await cancel(target, amended)).kind, 'cancelled')
    },
  },
  {
    ...far,
    group: 'streams',
    title: 'an order and its cancel are told by the stream, under its own id',
    supported: ({ streams }) => streams.includes('orders'),
    run: async (target) => {
      const heard = listening(target)
      try {
        await expectSoon(target.clock, 'the order stream is up', () => heard.states.at(-1) === 'up')
        const order = await farBuy(target)
        accepted(await target.broker.placeOrder(order))
        await cancel(target, order)
        const own = () => heard.reports.filter((one) => one.clientOrderId === order.clientOrderId)
        await expectSoon(target.clock, 'the cancel is told', () => own().at(-1)?.status === 'cancelled')
        expectEqual('first notice', own()[0]?.status, 'accepted')
      } finally {
        await heard.stop()
      }
    },
  },
  {
    ...far,
    group: 'streams',
    needsControl: 'dropStreams',
    title: 'a stream that was cut says down, comes back up, and goes on',
    run: async (target) => {
      const heard = listening(target)
      try {
        await expectSoon(target.clock, 'the order stream is up', () => heard.states.at(-1) === 'up')
        const before = heard.states.length
        await target.control!.dropStreams!()
        await expectSoon(target.clock, 'down and up again', () => {
          const since = heard.states.slice(before)
          return since.includes('down') && since.at(-1) === 'up'
        })
        const order = await farBuy(target)
        accepted(await target.broker.placeOrder(order))
        await expectSoon(target.clock, 'the next order is told', () =>
          heard.reports.some((one) => one.clientOrderId === order.clientOrderId),
        )
        await cancel(target, order)
      } finally {
        await heard.stop()
      }
    },
  },
  {
    ...full,
    title: 'a market order is filled, and answer, stream and list of fills agree',
    run: async (target) => {
      const heard = listening(target)
      try {
        await expectSoon(target.clock, 'the order stream is up', () => heard.states.at(-1) === 'up')
        const order = await marketOrder(target, 'buy')
        accepted(await target.broker.placeOrder(order))
        const report = await ended(target, order)
        expectEqual('status', report.status, 'filled')
        const listed = await fillsOf(target, report)
        expectEqual('sum of the fills', sum(listed), report.cumulativeQuantity)
        await expectSoon(target.clock, 'the fills are told', () => {
          const told = heard.fills.filter(({ venueOrderId }) => venueOrderId === report.venueOrderId)
          return (
            told.length > 0 && sum(told.filter(({ provisional }) => provisional !== true)) === report.cumulativeQuantity
          )
        })
      } finally {
        await heard.stop()
      }
    },
  },
  {
    ...full,
    title: 'money that comes and goes without a trade is told, each time once and exactly',
    supported: ({ adjustments }) => adjustments,
    needsControl: 'moveMoney',
    run: async (target) => {
      const { broker, clock, control } = target
      const held = async (): Promise<Units> => {
        const found = (await broker.balances()).find(({ currency }) => currency === MOVED)
        return (found?.free ?? 0n) + (found?.locked ?? 0n)
      }
      const heard = listening(target)
      try {
        await expectSoon(clock, 'the order stream is up', () => heard.states.at(-1) === 'up')
        const before = await held()
        await control!.moveMoney!(MOVED, '12.34500001')
        await expectSoon(clock, 'the deposit is told', () => heard.adjustments.length > 0)
        expectEqual('balance', await held(), before + 1_234_500_001n)
        await control!.moveMoney!(MOVED, '-2.3')
        await expectSoon(clock, 'the withdrawal is told', () => heard.adjustments.length > 1)
        expectEqual('balance', await held(), before + 1_004_500_001n)
        const said = heard.adjustments.map(({ currency, amount, reason }) => [currency, amount, reason])
        expectEqual('notices', said, [
          [MOVED, 1_234_500_001n, 'deposit'],
          [MOVED, -230_000_000n, 'withdrawal'],
        ])
        expectEqual('ids', new Set(heard.adjustments.map(({ noticeId }) => noticeId)).size, 2)
        expectEqual('fills', heard.fills.length, 0)
      } finally {
        await heard.stop()
      }
    },
  },
  {
    ...full,
    title: 'a market order by quote spends no more than it says',
    supported: ({ marketBuySizes }) => marketBuySizes.includes('quote'),
    run: async (target) => {
      const { quantity, ...order } = await marketOrder(target, 'buy')
      const price = unitsFromFloat(await last(target))
      const quoteQuantity = order.quoteQuantity ?? floorToStep((quantity! * price * 2n) / 100_000_000n, 1_000_000n)
      const sized = { ...order, quoteQuantity }
      accepted(await target.broker.placeOrder(sized))
      const fills = await fillsOf(target, await ended(target, sized))
      const spent = fills.reduce((total, fill) => total + (fill.quantity * fill.price) / 100_000_000n, 0n)
      expectTrue('spent something, and no more', spent > 0n && spent <= quoteQuantity, { spent, quoteQuantity })
    },
  },
  {
    ...full,
    title: 'what was bought is sold again',
    run: async (target) => {
      const order = await marketOrder(target, 'sell')
      accepted(await target.broker.placeOrder(order))
      expectEqual('status', (await ended(target, order)).status, 'filled')
    },
  },
  ...(['ioc', 'fok'] as const).map((timeInForce): SuiteCase => ({
    ...full,
    title: `a limit ${timeInForce} that cannot be filled ends at once`,
    supported: (table) => table.timeInForce.includes(timeInForce),
    run: async (target) => {
      const order = { ...(await farBuy(target)), timeInForce }
      accepted(await target.broker.placeOrder(order))
      const { status, cumulativeQuantity } = await ended(target, order)
      expectTrue(
        'expired or cancelled, unfilled',
        ['expired', 'cancelled'].includes(status) && cumulativeQuantity === 0n,
        status,
      )
    },
  })),
  {
    ...full,
    title: 'an order that would take is refused where it may only make',
    supported: ({ orderTypes }) => orderTypes.includes('limit_maker'),
    run: async (target) => {
      const { timeInForce: _, ...order } = await farBuy(target, 1.1)
      const outcome = await target.broker.placeOrder({ ...order, type: 'limit_maker' })
      expectEqual('outcome', outcome.kind === 'rejected' ? outcome.code : outcome, 'WOULD_TAKE')
    },
  },
  {
    ...full,
    title: 'more than the account has is rejected for its balance',
    run: async (target) => {
      const order = await farBuy(target)
      const [found] = await target.market.instruments([order.instrument])
      const most =
        (await target.broker.balances()).find(({ currency }) => currency === found!.quoteCurrency)?.free ?? 0n
      const lots = ((most * 3n) / order.limitPrice!) * 100_000_000n
      const outcome = await target.broker.placeOrder({ ...order, quantity: floorToStep(lots, found!.lotSize) })
      expectEqual('outcome', outcome.kind === 'rejected' ? outcome.code : outcome, 'INSUFFICIENT_BALANCE')
    },
  },
  {
    ...full,
    needsControl: 'fillPart',
    title: 'a part is filled, the rest is cancelled, and the fills say so',
    run: async (target) => {
      const order = await farBuy(target)
      const sized = { ...order, quantity: order.quantity! * 4n }
      accepted(await target.broker.placeOrder(sized))
      await target.control!.fillPart!(sized.clientOrderId)
      expectEqual('status', (await queried(target, sized)).status, 'partially_filled')
      const cancelled = await cancel(target, sized)
      if (cancelled.kind !== 'cancelled') throw new Unmet('cancel', 'cancelled', cancelled)
      const { cumulativeQuantity } = cancelled.report
      expectTrue('a part', cumulativeQuantity > 0n && cumulativeQuantity < sized.quantity, cumulativeQuantity)
      expectEqual('sum of the fills', sum(await fillsOf(target, cancelled.report)), cumulativeQuantity)
    },
  },
  {
    ...full,
    needsControl: 'loseNextAnswer',
    title: 'an answer that was lost is unknown, and the query finds the one order',
    run: async (target) => {
      const order = await marketOrder(target, 'buy')
      await target.control!.loseNextAnswer!()
      expectEqual('outcome', (await target.broker.placeOrder(order)).kind, 'unknown')
      const report = await ended(target, order)
      expectEqual('status', report.status, 'filled')
      const fills = await fillsOf(target, report)
      expectEqual('sum of the fills', sum(fills), report.cumulativeQuantity)
    },
  },
  {
    ...full,
    group: 'cursors',
    title: "the account's fills go on after a cursor, and an old cursor still leads on",
    run: async (target) => {
      const { broker } = target
      if (broker.fillsAfter === undefined) return
      const before = await lastCursor(target)
      const order = await marketOrder(target, 'buy')
      accepted(await broker.placeOrder(order))
      const { venueOrderId } = await ended(target, order)
      const page = await broker.fillsAfter({ after: before })
      expectTrue(
        'only new ones',
        page.fills.length > 0 && page.fills.every((one) => one.venueOrderId === venueOrderId),
        page,
      )
      const again = await broker.fillsAfter({ after: before, limit: 1 })
      expectEqual('the same again', again.fills, page.fills.slice(0, 1))
      expectEqual('nothing after the last', (await broker.fillsAfter({ after: page.cursor })).fills, [])
    },
  },
]

async function lastCursor({ broker }: SuiteTarget): Promise<string> {
  let page = await broker.fillsAfter!({})
  while (page.more) page = await broker.fillsAfter!({ after: page.cursor })
  return page.cursor
}

const sum = (fills: readonly FillReport[]): Units => fills.reduce((total, { quantity }) => total + quantity, 0n)

/** Some venues list a fill a moment after they report it. */
async function fillsOf(target: SuiteTarget, report: OrderReport): Promise<readonly FillReport[]> {
  let found: readonly FillReport[] = []
  for (let attempt = 0; attempt < 100; attempt++) {
    const all = await target.broker.fills({ instrument: report.instrument })
    found = all.filter(({ venueOrderId }) => venueOrderId === report.venueOrderId)
    if (sum(found) === report.cumulativeQuantity) return found
    await pause(target.clock, 50)
  }
  return found
}

function listening({ broker }: SuiteTarget) {
  const reports: OrderReport[] = []
  const fills: FillReport[] = []
  const adjustments: AdjustmentReport[] = []
  const states: string[] = []
  const listener: BrokerListener = {
    onOrder(report, fill) {
      reports.push(report)
      if (fill !== undefined) fills.push(fill)
    },
    onBalances: () => undefined,
    onAdjustment: (adjustment) => adjustments.push(adjustment),
    onOrderStream: (state) => states.push(state),
  }
  const stream = broker.subscribeOrders(listener)
  return { reports, fills, adjustments, states, stop: () => stream.stop() }
}
