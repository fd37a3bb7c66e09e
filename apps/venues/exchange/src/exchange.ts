/**
 * The exchange: accounts, orders and fills, computed by its own code from its own trades, one durable turn at a time.
 *
 * A turn is any number of calls (`place`, `cancel`, `onOpen`, …) followed by one `commit`, which writes what has changed
 * and hands out the events of the turn. It knows neither HTTP nor clocks: the driver sets `timeUs`, the market clock.
 */
import { createHash } from 'node:crypto'
import type { Instrument } from '@jts/model/instruments'
import { divide, floorToStep, minUnits, ONE, unitsFromFloat, type Units } from '@jts/model/numbers'
import { Account } from './accounts.ts'
import { Faults } from './faults.ts'
import { feeOf } from './fees.ts'
import { decideAtOpen, decideAtTrade, decideInRange, isMarketable, type Decision } from './matching.ts'
import type { Balance, Fill, Order, OrderEvent, OrderRequest, Refused, Side } from './orders.ts'
import type { Page, Store } from './store.ts'

export type ExchangeOptions = {
  readonly store: Store
  readonly instruments: readonly Instrument[]
  readonly accounts: number
  /** What each account holds at its very first start. */
  readonly deposits: readonly { readonly asset: string; readonly amount: Units }[]
  readonly feeRate: Units
  readonly slippageBps?: number
  readonly ordersMax?: number
  readonly faults?: Faults
  /** `at-once`: against the current price; `next-event`: at what the recorded market does next. */
  readonly execution: 'at-once' | 'next-event'
}

type Book = { readonly instrument: Instrument; last: number; openedAt: number; orders: Order[]; nextFillId: number }

export class Exchange {
  readonly feeRate: Units
  readonly faults: Faults
  readonly instruments: readonly Instrument[]
  /** Market clock: stamps orders, fills and events. */
  timeUs = 0
  /** Phases of a replay carried out; 0 when trading is continuous. */
  position = 0
  readonly #store: Store
  readonly #slippageBps: number
  readonly #ordersMax: number
  readonly #execution: ExchangeOptions['execution']
  readonly #books = new Map<string, Book>()
  readonly #accounts: Account[] = []
  readonly #orderCounts: number[] = []
  #fillCount: number
  #events: OrderEvent[] = []
  #changedOrders = new Set<Order>()
  #newFills: Fill[] = []
  #newMeta = new Map<string, string>()
  #hasAdjusted = false

  constructor(options: ExchangeOptions) {
    this.#store = options.store
    this.#slippageBps = options.slippageBps ?? 0
    this.#ordersMax = options.ordersMax ?? 200
    this.#execution = options.execution
    this.feeRate = options.feeRate
    this.faults = options.faults ?? new Faults()
    this.instruments = options.instruments
    for (const instrument of options.instruments) {
      const nextFillId = options.store.lastFillId(instrument.symbol) + 1
      this.#books.set(instrument.symbol, { instrument, last: NaN, openedAt: 0, orders: [], nextFillId })
    }
    this.#fillCount = options.store.fillCount()
    for (let index = 0; index < options.accounts; index++) this.#openAccount(index, options)
    for (const order of options.store.openOrders()) this.#books.get(order.symbol)?.orders.push(order)
  }

  #openAccount(index: number, { store, deposits }: ExchangeOptions): void {
    const stored = store.balances(index)
    const account = new Account(index, stored)
    if (stored.length === 0) {
      for (const { asset, amount } of deposits) account.move(asset, amount, 0n)
      for (const { baseCurrency, quoteCurrency } of this.instruments) {
        account.move(baseCurrency, 0n, 0n)
        account.move(quoteCurrency, 0n, 0n)
      }
    }
    this.#accounts.push(account)
    this.#orderCounts.push(store.orderCount(index))
  }

  // What is so

  instrument(symbol: string): Instrument | undefined {
    return this.#books.get(symbol)?.instrument
  }

  /** The last price of the market, or undefined before the first. */
  lastPrice(symbol: string): Units | undefined {
    const last = this.#books.get(symbol)?.last ?? NaN
    return Number.isNaN(last) ? undefined : unitsFromFloat(last)
  }

  balances(account: number): Balance[] {
    const owner = this.#account(account)
    return owner.assets().map((asset) => owner.balance(asset))
  }

  openOrders(account: number, symbol?: string): Order[] {
    const books = symbol === undefined ? [...this.#books.values()] : [this.#books.get(symbol)]
    return books.flatMap((book) => book?.orders.filter((order) => order.account === account) ?? [])
  }

  order(account: number, symbol: string, key: { id: number } | { clientId: string }): Order | undefined {
    if ('id' in key) return this.#store.order(account, symbol, key.id)
    return this.#store.orderByClientId(account, symbol, key.clientId)
  }

  orders(account: number, symbol: string, page: Page): Order[] {
    return this.#store.orders(account, symbol, page)
  }

  fills(account: number, symbol: string, page: Page): Fill[] {
    return this.#store.fills(account, symbol, page)
  }

  orderCount(account: number): number {
    return this.#orderCounts[account] ?? 0
  }

  hasOpenOrders(symbol: string): boolean {
    return (this.#books.get(symbol)?.orders.length ?? 0) > 0
  }

  #account(index: number): Account {
    const account = this.#accounts[index]
    if (!account) throw new Error(`no account ${index}`)
    return account
  }

  // What a client asks for

  /** The fault `timeout-before-accept`: true once per account, for the order that is to be lost. */
  losesOrder(account: number): boolean {
    const key = `fault.timeout-before-accept.${account}`
    const isLost =
      this.faults.timeoutBeforeAccept === this.orderCount(account) + 1 && this.#store.meta(key) === undefined
    if (isLost) this.#newMeta.set(key, 'done')
    return isLost
  }

  place(account: number, request: OrderRequest): Order | Refused {
    const book = this.#books.get(request.symbol)
    if (!book) throw new Error(`no instrument ${request.symbol}`)
    const owner = this.#account(account)
    const own = this.openOrders(account)
    if (request.clientId !== undefined && own.some((order) => order.clientId === request.clientId)) {
      return { refused: 'duplicate-client-id' }
    }
    if (own.filter((order) => order.symbol === request.symbol).length >= this.#ordersMax) {
      return { refused: 'too-many-orders' }
    }
    const last = this.lastPrice(request.symbol)
    const wouldTake = last !== undefined && request.kind !== 'market' && isMarketable(request.side, request.price, last)
    if (request.kind === 'post-only' && wouldTake) return { refused: 'would-take' }
    const locked = lockFor(request, book.instrument, last)
    const asset = lockedAsset(request.side, book.instrument)
    if (locked > owner.free(asset)) return { refused: 'insufficient-balance' }

    const id = this.orderCount(account) + 1
    this.#orderCounts[account] = id
    const order: Order = {
      ...request,
      account,
      id,
      clientId: request.clientId ?? generatedId('order', account, id),
      tag: request.tag ?? '',
      status: 'open',
      executed: 0n,
      cumulativeQuote: 0n,
      locked,
      placedAt: this.position,
      createdUs: this.timeUs,
      updatedUs: this.timeUs,
    }
    owner.move(asset, -locked, locked)
    insert(book.orders, order)
    this.#changedOrders.add(order)
    this.#emit('accepted', order, this.timeUs)
    // In a recorded market every order waits for the next price, `ioc` and `fok` too: what is shown now is past.
    if (last === undefined || this.#execution === 'next-event') return order
    const decision = decideAtOpen(order, true, last, this.#slippageBps, book.instrument.tickSize)
    this.#carryOut(book, order, decision, this.timeUs)
    return order
  }

  cancel(
    account: number,
    symbol: string,
    key: { id: number } | { clientId: string },
    cancelId?: string,
  ): { order: Order; cancelId: string } | Refused {
    const book = this.#books.get(symbol)
    const order = book?.orders.find(
      (open) => open.account === account && ('id' in key ? open.id === key.id : open.clientId === key.clientId),
    )
    if (!book || !order) return { refused: 'unknown-order' }
    const id = cancelId ?? generatedId('cancel', account, order.id)
    this.#end(book, order, 'cancelled', this.timeUs, id)
    return { order, cancelId: id }
  }

  /** Money comes in or, negative, goes out: not more than is free. Whoever was told of it finds it again after a kill. */
  adjust(account: number, asset: string, amount: Units): Balance | Refused {
    const owner = this.#account(account)
    if (owner.free(asset) + amount < 0n) return { refused: 'insufficient-balance' }
    owner.move(asset, amount, 0n)
    this.#hasAdjusted = true
    return owner.balance(asset)
  }

  // What the market does. Each returns true when it has touched an order.

  onOpen(symbol: string, price: number, timeUs: number): boolean {
    const book = this.#arrive(symbol, timeUs)
    book.last = price
    const hasTouched = book.orders.length > 0 && this.#match(book, timeUs, this.#atOpen(book, unitsFromFloat(price)))
    book.openedAt = this.position
    return hasTouched
  }

  onRange(symbol: string, low: number, high: number, timeUs: number): boolean {
    const book = this.#arrive(symbol, timeUs)
    if (book.orders.length === 0) return false
    const lowUnits = unitsFromFloat(low)
    const highUnits = unitsFromFloat(high)
    return this.#match(book, timeUs, (order) => decideInRange(order, this.#isNew(book, order), lowUnits, highUnits))
  }

  /** What the market shows last: a bar's close, a trade whose orders have met it already. */
  onClose(symbol: string, price: number, timeUs: number): void {
    this.#arrive(symbol, timeUs).last = price
  }

  onTrade(symbol: string, price: number, timeUs: number): boolean {
    const book = this.#arrive(symbol, timeUs)
    book.last = price
    const hasTouched = book.orders.length > 0 && this.#match(book, timeUs, this.#atTrade(book, unitsFromFloat(price)))
    book.openedAt = this.position
    return hasTouched
  }

  /** Where a restart finds the market: the last price, and the position at which the last bar opened. */
  resume(symbol: string, last: number, openedAt: number): void {
    const book = this.#books.get(symbol)
    if (book) Object.assign(book, { last, openedAt })
  }

  /** True until the order has met its first price. Continuous trading shows an order its price when it is placed. */
  #isNew(book: Book, order: Order): boolean {
    return this.#execution === 'next-event' && order.placedAt >= book.openedAt
  }

  #atOpen(book: Book, price: Units): (order: Order) => Decision {
    const tick = book.instrument.tickSize
    return (order) => decideAtOpen(order, this.#isNew(book, order), price, this.#slippageBps, tick)
  }

  #atTrade(book: Book, price: Units): (order: Order) => Decision {
    const tick = book.instrument.tickSize
    return (order) => decideAtTrade(order, this.#isNew(book, order), price, this.#slippageBps, tick)
  }

  #arrive(symbol: string, timeUs: number): Book {
    const book = this.#books.get(symbol)
    if (!book) throw new Error(`no instrument ${symbol}`)
    this.timeUs = timeUs
    return book
  }

  /** All waiting orders of one instrument, by account and order number, so that accounts do not race. */
  #match(book: Book, timeUs: number, decide: (order: Order) => Decision): boolean {
    let hasTouched = false
    for (const order of [...book.orders]) {
      const decision = decide(order)
      if (decision.kind === 'wait') continue
      this.#carryOut(book, order, decision, timeUs)
      hasTouched = true
    }
    return hasTouched
  }

  #carryOut(book: Book, order: Order, decision: Decision, timeUs: number): void {
    if (decision.kind === 'wait') return
    if (decision.kind === 'expire') return this.#end(book, order, 'expired', timeUs)
    const quantity = quantityAt(order, decision.price, book.instrument)
    const quote = quoteOf(quantity, decision.price)
    const paid = order.side === 'buy' ? quote : quantity
    const atHand = this.#account(order.account).free(lockedAsset(order.side, book.instrument)) + order.locked
    if (quantity === 0n || paid > atHand) return this.#end(book, order, 'expired', timeUs)
    this.#fill(book, order, quantity, quote, decision, timeUs)
  }

  #fill(book: Book, order: Order, quantity: Units, quote: Units, at: { price: Units; maker: boolean }, timeUs: number) {
    const owner = this.#account(order.account)
    const { baseCurrency, quoteCurrency } = book.instrument
    const isBuy = order.side === 'buy'
    const fill: Fill = {
      id: book.nextFillId++,
      account: order.account,
      orderId: order.id,
      symbol: order.symbol,
      side: order.side,
      price: at.price,
      quantity,
      quote,
      commission: feeOf(order.side, quantity, at.price, this.feeRate),
      commissionAsset: isBuy ? baseCurrency : quoteCurrency,
      maker: at.maker,
      timeUs,
    }
    this.#newFills.push(fill)
    const fillNumber = ++this.#fillCount
    owner.move(lockedAsset(order.side, book.instrument), order.locked, -order.locked)
    this.#book(owner, book.instrument, order.side, quantity, at.price)
    if (this.faults.isPhantomAfter(fillNumber))
      this.#bookPhantom(owner, book.instrument, order.side, quantity, at.price)
    order.locked = 0n
    order.status = 'filled'
    order.quantity = quantity
    order.executed = quantity
    order.cumulativeQuote = quote
    this.#leave(book, order, timeUs)
    this.#emit('filled', order, timeUs, { fill, fillNumber })
  }

  /** Moves the balances of one fill. The fee rate may be a faulty one: then the records and the balances disagree. */
  #book(owner: Account, instrument: Instrument, side: Side, quantity: Units, price: Units): void {
    const { baseCurrency, quoteCurrency } = instrument
    const rate = this.faults.balanceFee ?? this.feeRate
    const isBuy = side === 'buy'
    const quote = quoteOf(quantity, price)
    owner.move(isBuy ? quoteCurrency : baseCurrency, isBuy ? -quote : -quantity, 0n)
    const received = isBuy ? quantity : quote
    owner.move(isBuy ? baseCurrency : quoteCurrency, received - feeOf(side, quantity, price, rate), 0n)
  }

  /** The same fill once more, as far as the free balance goes, and unseen; if nothing is left of it, its opposite. */
  #bookPhantom(owner: Account, instrument: Instrument, side: Side, quantity: Units, price: Units): void {
    for (const way of [side, side === 'buy' ? 'sell' : 'buy'] as const) {
      const free = owner.free(lockedAsset(way, instrument))
      const affordable = way === 'buy' ? (free * ONE) / price : free
      const size = floorToStep(minUnits(quantity, affordable), instrument.lotSize)
      if (size > 0n) return this.#book(owner, instrument, way, size, price)
    }
  }

  #end(book: Book, order: Order, what: 'cancelled' | 'expired', timeUs: number, cancelId?: string): void {
    const owner = this.#account(order.account)
    owner.move(lockedAsset(order.side, book.instrument), order.locked, -order.locked)
    order.locked = 0n
    order.status = what
    this.#leave(book, order, timeUs)
    this.#emit(what, order, timeUs, cancelId === undefined ? {} : { cancelId })
  }

  #leave(book: Book, order: Order, timeUs: number): void {
    order.updatedUs = laterOf(order.createdUs, timeUs)
    book.orders.splice(book.orders.indexOf(order), 1)
    this.#changedOrders.add(order)
  }

  #emit(what: OrderEvent['what'], order: Order, timeUs: number, more: Partial<OrderEvent> = {}): void {
    const owner = this.#account(order.account)
    const instrument = this.#books.get(order.symbol)!.instrument
    // An order has two executions at most, its acceptance and its end, so their numbers need no counter of their own.
    const executionId = order.id * 2 - (what === 'accepted' ? 1 : 0)
    const balances = [owner.balance(instrument.baseCurrency), owner.balance(instrument.quoteCurrency)]
    this.#events.push({ what, order: { ...order }, timeUs, executionId, balances, ...more })
  }

  // The end of a turn

  /** Writes the turn, on disk before this returns if it has touched an order, and hands out its events. */
  commit(position?: { readonly position: number; readonly timeUs: number }): readonly OrderEvent[] {
    const isDurable =
      this.#changedOrders.size > 0 || this.#newFills.length > 0 || this.#newMeta.size > 0 || this.#hasAdjusted
    const hasChanges = isDurable || this.#accounts.some((account) => account.changed.size > 0)
    if (!hasChanges && !position) return []
    this.#store.transaction(isDurable, () => {
      if (position) this.#store.putPosition(position.position, position.timeUs)
      if (hasChanges) this.#writeChanges()
    })
    const events = this.#events
    if (hasChanges) {
      this.#events = []
      this.#newFills = []
      this.#changedOrders.clear()
      this.#newMeta.clear()
      this.#hasAdjusted = false
      for (const account of this.#accounts) account.changed.clear()
    }
    return events
  }

  #writeChanges(): void {
    for (const order of this.#changedOrders) this.#store.putOrder(order)
    for (const fill of this.#newFills) this.#store.putFill(fill)
    for (const [key, value] of this.#newMeta) this.#store.putMeta(key, value)
    for (const account of this.#accounts) {
      for (const asset of account.changed) this.#store.putBalance(account.index, account.balance(asset))
    }
  }
}

/** What an order holds back when it is accepted; a market order's is an estimate, and nothing when no price is known. */
function lockFor(request: OrderRequest, instrument: Instrument, last: Units | undefined): Units {
  if (request.side === 'buy') {
    if (request.kind !== 'market') return (request.price * request.quantity + ONE - 1n) / ONE
    if (request.quoteQuantity > 0n) return request.quoteQuantity
    return last === undefined ? 0n : (request.quantity * last + ONE - 1n) / ONE
  }
  if (request.quantity > 0n) return request.quantity
  return last === undefined ? 0n : quantityAt(request, last, instrument)
}

function quantityAt(order: Pick<Order, 'quantity' | 'quoteQuantity'>, price: Units, instrument: Instrument): Units {
  if (order.quoteQuantity === 0n) return order.quantity
  return floorToStep((order.quoteQuantity * ONE) / price, instrument.lotSize)
}

function lockedAsset(side: Side, instrument: Instrument): string {
  return side === 'buy' ? instrument.quoteCurrency : instrument.baseCurrency
}

/** Keeps the orders of a book by account, then by number. */
function insert(orders: Order[], order: Order): void {
  const before = orders.findLastIndex((other) => other.account <= order.account)
  orders.splice(before + 1, 0, order)
}

function generatedId(kind: string, account: number, id: number): string {
  return createHash('sha256').update(`${kind} ${account} ${id}`).digest('base64url').slice(0, 22)
}

function laterOf(a: number, b: number): number {
  return a > b ? a : b
}

/** Price × quantity at eight decimals. Real filters leave no more than eight; what is finer is rounded half-even. */
function quoteOf(quantity: Units, price: Units): Units {
  return divide(quantity * price, ONE, 'half-even')
}
