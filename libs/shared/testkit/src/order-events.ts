/** What order execution would say, for tests of those who hear it. */
import type { NewEvent, Payload, Topic } from '@jts/contracts'

export type SaidOfOrder = {
  readonly account: string
  readonly instrument: string
  readonly signalId?: string
  readonly strategy?: string
  readonly side?: 'buy' | 'sell'
}

export function orderRef(said: SaidOfOrder): NonNullable<Payload<'OrderAccepted'>['ref']> {
  const { instrument, signalId = 's1', strategy = 'one', side = 'buy' } = said
  return { orderId: `order of ${signalId}`, signalId, strategy, instrument, side }
}

function about(account: string, timeEventUs: number) {
  return { stream: account, account, correlationId: 'c', causationId: '', timeEventUs }
}

export function openingBalance(account: string, balances: Record<string, string>, timeUs = 1): NewEvent {
  const amounts = Object.entries(balances).map(([currency, amount]) => ({ currency, amount }))
  return { ...about(account, timeUs), type: 'OpeningBalance', payload: { balances: amounts } }
}

export function balancesReported(
  account: string,
  balances: Record<string, string>,
  fillCount: number,
  { cash = [], timeUs = 1 }: { cash?: Payload<'BalancesReported'>['cash']; timeUs?: number } = {},
): NewEvent {
  const amounts = Object.entries(balances).map(([currency, amount]) => ({ currency, amount }))
  return { ...about(account, timeUs), type: 'BalancesReported', payload: { balances: amounts, fillCount, cash } }
}

/** Money that came or, negative, went without a trade, as the broker told of it. */
export function balanceAdjusted(account: string, currency: string, amount: string, timeUs = 1): NewEvent {
  const noticeId = `${currency}:${timeUs}:${amount}`
  const reason = amount.startsWith('-') ? 'withdrawal' : 'deposit'
  const told = { adjustmentId: `${account}/${noticeId}`, source: 'broker', noticeId, by: '', words: '' }
  return { ...about(account, timeUs), type: 'BalanceAdjusted', payload: { ...told, currency, amount, reason } }
}

export function orderAccepted(said: SaidOfOrder, timeUs = 1): NewEvent {
  const payload = { ref: orderRef(said), clientOrderId: 'c1', venueOrderId: '1' }
  return { ...about(said.account, timeUs), type: 'OrderAccepted', payload }
}

let trades = 0

export function orderFilled(
  said: SaidOfOrder & { quantity: string; price: string; leaves?: string; fee?: string; feeCurrency?: string },
  timeUs = 1,
): NewEvent {
  const tradeId = String(++trades)
  const payload = {
    ref: orderRef(said),
    fillId: `fill ${tradeId}`,
    venueOrderId: '1',
    tradeId,
    lastQuantity: said.quantity,
    lastPrice: said.price,
    fee: said.fee ?? '0',
    feeCurrency: said.feeCurrency ?? 'USDT',
    liquidity: 'taker',
    cumulativeQuantity: said.quantity,
    leavesQuantity: said.leaves ?? '0',
    idSource: 'venue',
    clientOrderId: 'c1',
  }
  return { ...about(said.account, timeUs), type: 'OrderFilled', payload }
}

/** An end without a full fill. */
export function orderEnded(
  said: SaidOfOrder,
  type: 'OrderDenied' | 'OrderRejected' | 'OrderCancelled' | 'OrderExpired' | 'SignalExpired',
): NewEvent {
  const ref = orderRef(said)
  const why = { reasonCode: 'NO', reason: 'no' }
  const common = { ...about(said.account, 1) }
  const left = { cumulativeQuantity: '0', leavesQuantity: '1' }
  switch (type) {
    case 'OrderRejected':
      return { ...common, type, payload: { ref, clientOrderId: 'c1', ...why } }
    case 'OrderCancelled':
      return { ...common, type, payload: { ref, clientOrderId: 'c1', ...left } }
    case 'OrderExpired':
      return { ...common, type, payload: { ref, clientOrderId: 'c1', ...why, ...left } }
    case 'OrderDenied':
    case 'SignalExpired': {
      const amounts = { quantity: '1', quoteQuantity: '', limitPrice: '', price: '1' }
      return {
        ...common,
        type,
        payload: { terms: { ref, orderType: 'market', timeInForce: 'gtc', ...amounts }, ...why },
      }
    }
  }
}

export function candle(instrument: string, closeTimeUs: number, close: number): NewEvent {
  return {
    type: 'Candle',
    stream: instrument,
    correlationId: `candle/${instrument}/1m/${closeTimeUs}`,
    causationId: '',
    timeEventUs: closeTimeUs,
    payload: bar(instrument, closeTimeUs, close),
  }
}

export function publicTrade(instrument: string, id: number, price: number, timeUs: number): NewEvent {
  return {
    type: 'PublicTrade',
    stream: instrument,
    correlationId: `trade/${instrument}/${id}`,
    causationId: '',
    timeEventUs: timeUs,
    payload: { instrument, tradeId: String(id), timeUs, price, quantity: 1, aggressor: 'buy' },
  }
}

/** Where the events of this file are published. */
export function topicOf({ type, stream }: NewEvent): Topic {
  switch (type) {
    case 'Candle':
    case 'InstrumentListed':
      return stream.startsWith('KRX:') ? 'market-data.krx.candles' : 'market-data.binance.candles'
    case 'PublicTrade':
      return 'market-data.binance.trades'
    case 'ReconciliationReported':
      return 'portfolio.positions'
    default:
      return 'orders.events'
  }
}

/** A closed minute bar that ends here. */
export function bar(instrument: string, closeTimeUs: number, close: number): Payload<'Candle'> {
  return {
    instrument,
    timeframe: '1m',
    openTimeUs: closeTimeUs + 1000 - 60_000_000,
    closeTimeUs,
    open: close,
    high: close,
    low: close,
    close,
    volume: 1,
    final: true,
    revision: 0,
    source: 'fake',
  }
}

/** A fill that no order of ours explains: someone traded by hand. */
export function foreignFill(account: string, instrument: string, quantity: string, price: string): NewEvent {
  return {
    type: 'ForeignFill',
    stream: account,
    account,
    correlationId: `foreign/${instrument}`,
    causationId: '',
    timeEventUs: 1,
    payload: {
      instrument,
      side: 'buy',
      venueOrderId: '77',
      tradeId: '77',
      quantity,
      price,
      fee: '0',
      feeCurrency: '',
      fillId: `${instrument}:77`,
      handling: 'alert',
    },
  }
}
