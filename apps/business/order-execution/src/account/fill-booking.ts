/** Books each execution once, whoever told of it: as its order's, or as a foreign one that moves the account all the same. */
import type { FillReport, OrderReport } from '@jts/broker-kit'
import type { NewEvent } from '@jts/contracts'
import { formatUnits, instrumentSymbol, instrumentVenue, multiplyUnits, type StrategyInstanceId } from '@jts/model'
import type { Turn } from '@jts/transport'
import { fills } from '../adapters/tables.ts'
import type { OrderRecord } from '../domain/order-record.ts'
import type { AccountState } from './account-state.ts'
import type { ForeignOrders } from './foreign-orders.ts'

export class FillBooking {
  readonly #state: AccountState
  readonly #foreign: ForeignOrders

  constructor(state: AccountState, foreign: ForeignOrders) {
    this.#state = state
    this.#foreign = foreign
  }

  /** `report` is what the venue says of the order with this fill, where that is known. */
  apply(record: OrderRecord, fill: FillReport, report: OrderReport | undefined, turn: Turn): void {
    const { cursor, options, orders } = this.#state
    if (cursor.has(record.terms.instrument, fill.tradeId)) return
    const about = { ...record.named, tradeId: fill.tradeId }
    const outcome = record.life.fill(fill.tradeId, fill.quantity)
    if (outcome === 'duplicate') return
    if (outcome === 'excess' || outcome === 'refused') {
      options.log.error({ ...about, outcome }, 'a fill beyond its order')
      return this.bookForeign(fill, turn)
    }
    if (outcome === 'late') options.log.warn(about, 'a fill after the order had ended')
    record.notional += multiplyUnits(fill.quantity, fill.price, 'half-even')
    record.lastNoticeUs = Math.max(record.lastNoticeUs, options.marketClock.nowUs())
    record.foundQuiet = 0
    // An order sized in quote is full when the venue says so; one sized in base when its quantity is reached.
    const isLast = report?.status === 'filled' && record.life.cumulativeQuantity === report.cumulativeQuantity
    if (record.terms.quantity === '' && isLast) record.life.move('filled')
    this.#book(fill, record.terms.strategy, record.terms.orderId, turn)
    const payload = {
      ref: record.eventRef(),
      fillId: this.#fillId(fill),
      venueOrderId: fill.venueOrderId,
      tradeId: fill.tradeId,
      lastQuantity: formatUnits(fill.quantity),
      lastPrice: formatUnits(fill.price),
      fee: formatUnits(fill.fee),
      feeCurrency: fill.feeCurrency,
      liquidity: fill.liquidity,
      cumulativeQuantity: formatUnits(record.life.cumulativeQuantity),
      leavesQuantity: record.leavesText,
      idSource: fill.idSource ?? 'venue',
      clientOrderId: record.request?.clientOrderId ?? '',
    }
    this.#tell(turn, {
      type: 'OrderFilled',
      correlationId: record.terms.correlationId,
      causationId: record.request?.clientOrderId ?? record.terms.approvedBy,
      timeEventUs: fill.timeUs,
      payload,
    })
    orders.keep(record, turn)
  }

  /** A fill that no order of ours explains moves the account all the same. */
  bookForeign(fill: FillReport, turn: Turn): void {
    const { account, cursor, options } = this.#state
    if (cursor.has(fill.instrument, fill.tradeId)) return
    options.log.warn({ account, tradeId: fill.tradeId }, 'a fill of a foreign order')
    this.#book(fill, 'external' as StrategyInstanceId, fill.venueOrderId, turn)
    this.#tell(turn, {
      type: 'ForeignFill',
      correlationId: `foreign/${fill.instrument}/${fill.tradeId}`,
      causationId: '',
      timeEventUs: fill.timeUs,
      payload: {
        instrument: fill.instrument,
        side: fill.side,
        venueOrderId: fill.venueOrderId,
        tradeId: fill.tradeId,
        quantity: formatUnits(fill.quantity),
        price: formatUnits(fill.price),
        fee: formatUnits(fill.fee),
        feeCurrency: fill.feeCurrency,
        fillId: this.#fillId(fill),
        handling: options.foreignOrders ?? 'alert',
      },
    })
    this.#foreign.filled(fill, turn)
  }

  /** On the account's stream, and its copy for history and outside readers. */
  #tell(turn: Turn, event: Pick<NewEvent, 'type' | 'correlationId' | 'causationId' | 'timeEventUs' | 'payload'>): void {
    const { account } = this.#state
    const told = { ...event, stream: account, account } as NewEvent
    turn.publish('orders.events', told)
    turn.publish('orders.fills', told)
  }

  #book(fill: FillReport, strategy: StrategyInstanceId, orderId: string, turn: Turn): void {
    const state = this.#state
    state.cursor.remember(fill.instrument, fill.tradeId)
    state.fillCount++
    turn.put(fills, {
      account: state.account,
      instrument: fill.instrument,
      trade_id: fill.tradeId,
      order_id: orderId,
      strategy,
      side: fill.side,
      quantity: formatUnits(fill.quantity),
      price: formatUnits(fill.price),
      fee: formatUnits(fill.fee),
      fee_currency: fill.feeCurrency,
      liquidity: fill.liquidity,
      time_us: fill.timeUs,
    })
    state.keep(turn)
  }

  #fillId(fill: FillReport): string {
    const { account } = this.#state
    return `${instrumentVenue(fill.instrument)}:${account}:${instrumentSymbol(fill.instrument)}:${fill.tradeId}`
  }
}
