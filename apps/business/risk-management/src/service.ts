/**
 * Risk management (B): answers whether a signal may become an order, and reserves what it may need.
 *
 * Hears candles and public trades (marks) and orders.events (fills free reservations and move the books; ends release them; trading states).
 * Its answers travel with the signals; on system.health it says that it is there, and whom it misses.
 */
import {
  fillOfEvent,
  instrumentOfListing,
  RpcError,
  type BusEvent,
  type Payload,
  type RiskManagementApi,
  type Topic,
} from '@jts/contracts'
import {
  RiskCheckResponse,
  type PositionSizeRequest,
  type PositionSizeResponse,
  type RiskCheckRequest,
} from '@jts/contracts/risk-api'
import {
  accountId,
  KrxSessions,
  Ledger,
  parseUnits,
  RiskEngine,
  instrumentByName,
  openingAuctionUntilUs,
  unitsToFloat,
  type AccountId,
  type Fill,
  type Instrument,
  type InstrumentId,
  type LedgerPlain,
  type ReservationPlain,
  type RiskEngineOptions,
  type RiskIntent,
  type RiskLimits,
  type SignalId,
  type StrategyInstanceId,
  type TradingState,
} from '@jts/model'
import type { Logger, MarketClock } from '@jts/runtime'
import type { Bus, Heartbeats, Store, Turn } from '@jts/transport'
import { answers, books, differences, listings, marks, reservations, tradingStates } from './adapters/tables.ts'
import { Answers, approvals, intentText, recentOrders } from './answers.ts'
import { Differences } from './domain/differences.ts'
import {
  findInstrument,
  instrumentLookup,
  parseAccount,
  parseRiskCheck,
  toResponse,
  type InstrumentLookup,
} from './domain/request.ts'
import { sizePosition } from './domain/size-position.ts'
import { heartbeatsOf, type Listening } from './silence.ts'

export type RiskManagementOptions = {
  readonly store: Store
  readonly bus: Bus
  readonly marketClock: MarketClock
  readonly log: Logger
  readonly limits: RiskLimits
  readonly instruments: readonly Instrument[]
  /** The hours of the KRX, outside which orders for what it lists are denied; the shipped ones when not given. */
  readonly sessions?: KrxSessions
  /** Topics of candles and public trades, whose prices mark the instruments. */
  readonly marketTopics: readonly Topic[]
  /** Market time from an approval to the last moment at which its intent may be written, µs. */
  readonly approvalValidUs: number
  /**
   * Accounts that may only reduce while their order execution or the prices of their instruments are silent. Without it, nobody is listened
   * for: a replay in lock-step releases nothing while the conductor's link is down.
   */
  readonly heartbeats?: Listening
  /** Told of each question; what it returns is told the answer. */
  readonly onCheck?: (request: RiskCheckRequest) => (answer: RiskCheckResponse) => void
}

/** What it answers: the conversations of the contract, and risk checks on one long stream. */
export type RiskManagementHandlers = RiskManagementApi & {
  streamTradingRiskChecks(requests: AsyncIterable<RiskCheckRequest>): AsyncIterable<RiskCheckResponse>
}

export type RiskManagement = {
  readonly api: RiskManagementHandlers
  start(): Promise<void>
  stop(): void
  /** Unused shares of the standing limits, now. */
  headroom(): Iterable<LimitHeadroom>
}

export type LimitHeadroom = { readonly account: AccountId; readonly limit: string; readonly ratio: number }

export function createRiskManagement(options: RiskManagementOptions): RiskManagement {
  const service = new Service(options)
  options.store.ensure([books, reservations, marks, answers, tradingStates, differences, listings] as never[])
  options.bus.subscribe({
    group: 'risk-management',
    topics: [
      ...options.marketTopics,
      'orders.events',
      'portfolio.positions',
      ...(options.heartbeats === undefined ? [] : (['system.health'] as const)),
    ],
    handle: (event, turn) => service.handle(event, turn),
  })
  return {
    api: service,
    start: () => service.start(),
    stop: () => service.stop(),
    headroom: () => service.headroom(),
  }
}

class Service implements RiskManagementHandlers {
  readonly #options: RiskManagementOptions
  readonly #lookup: InstrumentLookup
  readonly #instruments: Map<string, Instrument>
  /** Those of them that may be asked about, as last told. */
  readonly #traded: Map<string, Instrument>
  readonly #answers: Answers
  readonly #differences = new Differences()
  readonly #heartbeats: Heartbeats | undefined
  readonly #engineOptions: RiskEngineOptions & { readonly sessions: KrxSessions }
  #engine: RiskEngine

  constructor(options: RiskManagementOptions) {
    this.#options = options
    this.#instruments = new Map(options.instruments.map((instrument) => [instrument.id, instrument]))
    this.#traded = new Map(this.#instruments)
    this.#lookup = instrumentLookup(this.#traded)
    // Answers are kept here, and need not be there too.
    this.#engineOptions = { answersKept: 0, sessions: options.sessions ?? new KrxSessions() }
    this.#engine = new RiskEngine(options.limits, this.#engineOptions)
    for (const instrument of options.instruments) this.#engine.setInstrument(instrument)
    const { heartbeats, store, log } = options
    this.#answers = new Answers(store, log)
    this.#heartbeats = heartbeats && heartbeatsOf(heartbeats, { store, log, engine: () => this.#engine })
  }

  async start(): Promise<void> {
    await this.restore()
    this.#heartbeats?.start()
  }

  stop(): void {
    this.#heartbeats?.stop()
  }

  async restore(): Promise<void> {
    const { store, limits } = this.#options
    for (const { listing } of await store.all(listings)) {
      const instrument = instrumentOfListing(JSON.parse(listing) as Payload<'InstrumentListed'>)
      if (!this.#traded.has(instrument.id)) continue
      this.#traded.set(instrument.id, instrument)
      this.#instruments.set(instrument.id, instrument)
    }
    const states = await store.all(tradingStates)
    const given = await this.#answers.restore()
    this.#engine = RiskEngine.fromPlain(
      {
        ledgers: (await store.all(books)).map((row) => JSON.parse(row.ledger) as LedgerPlain),
        reservations: (await store.all(reservations)).map((row) => JSON.parse(row.reservation) as ReservationPlain),
        tradingStates: Object.fromEntries(
          states.map((row) => [`${row.account || '*'}/${row.strategy || '*'}`, row.state as TradingState]),
        ),
        marks: (await store.all(marks)).map((row) => ({
          instrument: row.instrument,
          price: row.price,
          timeUs: row.time_us,
        })),
        recentOrders: limits.duplicateWindowUs === undefined ? [] : recentOrders(given.all, limits.duplicateWindowUs),
        answers: [],
      },
      limits,
      [...this.#traded.values()],
      this.#engineOptions,
    )
    for (const { account, reported, accepted } of await store.all(differences)) {
      this.#differences.restore(account as AccountId, reported, accepted)
      this.#holdDifferences(account as AccountId)
    }
    if (limits.ordersPerMinuteMax === undefined) return
    for (const { account, timeUs } of approvals(given.kept)) this.#engine.rememberApproval(account, timeUs)
  }

  handle(event: BusEvent, turn: Turn): void {
    this.#heartbeats?.hear(event, turn)
    switch (event.type) {
      case 'Candle': {
        const { instrument, close, closeTimeUs } = event.payload
        return this.#mark(instrument, close, closeTimeUs, turn)
      }
      case 'PublicTrade': {
        const { instrument, price, timeUs } = event.payload
        return this.#mark(instrument, price, timeUs, turn)
      }
      case 'InstrumentListed':
        return this.#list(event.payload, turn)
      case 'OpeningBalance': {
        const ledger = this.#engine.ledger(accountId(event.stream))
        ledger.open(Object.fromEntries(event.payload.balances.map((one) => [one.currency, parseUnits(one.amount)])))
        return this.#keepBooks(ledger, turn)
      }
      case 'OrderFilled': {
        const { ref, leavesQuantity } = event.payload
        const signalId = ref!.signalId as SignalId
        this.#engine.applyFill(this.#known(fillOfEvent(event)), signalId)
        if (leavesQuantity === '0') this.#release(signalId, turn)
        else this.#keepReservation(signalId, turn)
        return this.#keepBooks(this.#engine.ledger(accountId(event.stream)), turn)
      }
      case 'ForeignFill': {
        const fill = this.#known(fillOfEvent(event))
        this.#engine.applyFill(fill)
        return this.#keepBooks(this.#engine.ledger(accountId(event.stream)), turn)
      }
      case 'BalanceAdjusted': {
        const ledger = this.#engine.ledger(accountId(event.stream))
        ledger.adjust(event.payload.currency, parseUnits(event.payload.amount))
        return this.#keepBooks(ledger, turn)
      }
      case 'ReconciliationReported': {
        const account = accountId(event.stream)
        this.#differences.report(account, event.payload.equal ? [] : event.payload.differences)
        return this.#keepDifferences(account, turn)
      }
      case 'OrderDenied':
      case 'SignalExpired':
        return this.#release(event.payload.terms!.ref!.signalId as SignalId, turn)
      case 'OrderRejected':
      case 'OrderCancelled':
      case 'OrderExpired':
        return this.#release(event.payload.ref!.signalId as SignalId, turn)
      case 'TradingStateChanged': {
        const { strategy, state, scope } = event.payload
        const account = scope === 'strategy' ? '' : event.stream
        this.#engine.setTradingState(
          {
            ...(account === '' ? {} : { account: account as AccountId }),
            ...(strategy === '' ? {} : { strategy: strategy as StrategyInstanceId }),
          },
          state as TradingState,
        )
        turn.put(tradingStates, { account, strategy, state })
        // Everything is resumed by a person alone, who knows by then what differs.
        if (scope === 'whole' && state === 'active') this.#acceptDifferences(turn)
        return
      }
      default:
        return
    }
  }

  async checkTradingRisk(request: RiskCheckRequest): Promise<RiskCheckResponse> {
    const answered = this.#options.onCheck?.(request)
    const nowUs = this.#options.marketClock.nowUs()
    const parsed = parseRiskCheck(request, this.#lookup, nowUs)
    const response =
      parsed.kind === 'advisory'
        ? toResponse(parsed.intent, this.#engine.checkAdvisory(parsed.intent, parsed.portfolio, nowUs), nowUs)
        : this.#answer(parsed.intent, request.signalTimeUs, nowUs)
    answered?.(response)
    return { ...response, correlationId: request.correlationId }
  }

  *headroom(): Iterable<LimitHeadroom> {
    const currencies = new Set([...this.#instruments.values()].map(({ quoteCurrency }) => quoteCurrency))
    for (const account of this.#engine.accounts()) {
      for (const currency of currencies) {
        const cash = unitsToFloat(this.#engine.ledger(account).cashOf(currency))
        if (cash <= 0) continue
        const reserved = unitsToFloat(this.#engine.cashReserved(account, currency))
        yield { account, limit: `cash ${currency}`, ratio: 1 - reserved / cash }
      }
    }
  }

  /** The same questions on one long stream, in order; what is wrong with one is said in its answer and ends nothing. */
  async *streamTradingRiskChecks(requests: AsyncIterable<RiskCheckRequest>): AsyncIterable<RiskCheckResponse> {
    for await (const request of requests) {
      const answer = await this.checkTradingRisk(request).catch((error: unknown) => this.#errorAnswer(request, error))
      yield { ...answer, requestNumber: request.requestNumber }
    }
  }

  async calculatePositionSize(request: PositionSizeRequest): Promise<PositionSizeResponse> {
    const instrument = findInstrument(request.symbol, this.#lookup)
    const { quoteCurrency } = instrument
    if (request.account === '') {
      const portfolio = request.currentPortfolio
      if (portfolio === undefined) {
        throw new RpcError('INVALID_ARGUMENT', 'current_portfolio: expected a portfolio, or an account, found neither')
      }
      const held = portfolio.positions.find((position) => position.symbol === request.symbol)?.quantity ?? 0
      const cashFree = parseUnits(portfolio.cashText || String(portfolio.cash), 'down')
      return sizePosition(request, { instrument, cashFree, equity: portfolio.cash + held * request.price })
    }
    const account = parseAccount(request.account)
    const ledger = this.#engine.ledger(account)
    const cash = ledger.cashOf(quoteCurrency)
    const equity = unitsToFloat(cash) + unitsToFloat(ledger.quantityOf(instrument.id)) * request.price
    const cashFree = cash - this.#engine.cashReserved(account, quoteCurrency)
    return sizePosition(request, { instrument, cashFree, equity })
  }

  /** Decides once per signal; the same signal is answered the same, another content under its id is refused and alarmed. */
  #answer(intent: RiskIntent, saidTimeUs: number, nowUs: number): RiskCheckResponse {
    // The time as it was said: a question without one is the same question when it comes again.
    const text = intentText({ ...intent, signalTimeUs: saidTimeUs })
    const before = this.#answers.find(intent.signalId, text)
    if (before !== undefined) return before
    return this.#options.store.transact((turn) => {
      const decision = this.#engine.check(intent, nowUs, { explain: true })
      if (!decision.approved && decision.reasonCode === 'HEARTBEAT_MISSING' && this.#waitsForAuction(intent, nowUs)) {
        throw new RpcError('UNAVAILABLE', decision.reason)
      }
      const response = toResponse(intent, decision, this.#validUntilUs(intent, nowUs))
      if (decision.approved) this.#keepReservation(intent.signalId, turn)
      this.#answers.keep(intent.signalId, text, response, nowUs, turn)
      return response
    }, 'durable')
  }

  /** In an opening auction nothing gets stale: a broker that comes up late may still have the order, and nobody after it. */
  #validUntilUs(intent: RiskIntent, nowUs: number): number {
    return this.#waitsForAuction(intent, nowUs) ? this.#auctionUntilUs(intent)! : nowUs + this.#options.approvalValidUs
  }

  /** Silence that may end before the auction does is no answer yet: whoever wants the order asks again. */
  #waitsForAuction(intent: RiskIntent, nowUs: number): boolean {
    const untilUs = this.#auctionUntilUs(intent)
    return untilUs !== undefined && nowUs < untilUs
  }

  #auctionUntilUs({ instrument, signalTimeUs }: RiskIntent): number | undefined {
    const traded = this.#traded.get(instrument)
    return traded && openingAuctionUntilUs(signalTimeUs, traded, this.#engineOptions.sessions)
  }

  #errorAnswer(request: RiskCheckRequest, error: unknown): RiskCheckResponse {
    const { correlationId, signalId } = request
    if (!(error instanceof RpcError))
      this.#options.log.error({ err: error, signalId, correlationId }, 'a risk check failed')
    const { code, message } =
      error instanceof RpcError ? error : { code: 'INTERNAL', message: 'internal error; the service log tells more' }
    return RiskCheckResponse.create({ correlationId, signalId, error: { code, message } })
  }

  #acceptDifferences(turn: Turn): void {
    for (const account of this.#differences.acceptAll()) this.#keepDifferences(account, turn)
  }

  #keepDifferences(account: AccountId, turn: Turn): void {
    turn.put(differences, { account, ...this.#differences.plain(account) })
    this.#holdDifferences(account)
    this.#heartbeats?.speak(turn)
  }

  #holdDifferences(account: AccountId): void {
    const { holds } = this.#engine
    const before = holds.list().filter((hold) => hold.account === account && Differences.isCause(hold.cause))
    for (const hold of before) holds.lift(hold)
    for (const hold of this.#differences.holdsOf(account, this.#instruments.values())) holds.set(hold)
  }

  /** A person may trade by hand what is not configured here, and an order may fill after its strategy has left the configuration. */
  #known(fill: Fill): Fill {
    if (!this.#instruments.has(fill.instrument)) {
      const instrument = instrumentByName(fill.instrument)
      this.#instruments.set(instrument.id, instrument)
      this.#engine.setInstrument(instrument)
    }
    return fill
  }

  /** What is traded may turn out to be an ETF, be halted, or have other limits today. */
  #list(said: Payload<'InstrumentListed'>, turn: Turn): void {
    if (!this.#traded.has(said.instrument)) return
    const instrument = instrumentOfListing(said)
    this.#traded.set(instrument.id, instrument)
    this.#instruments.set(instrument.id, instrument)
    this.#engine.setInstrument(instrument)
    turn.put(listings, { instrument: instrument.id, listing: JSON.stringify(said) })
    const { id, listing, restrictions = [] } = instrument
    this.#options.log.info(
      { instrument: id, ...listing, restrictions, date: said.date },
      'the broker says what is listed',
    )
  }

  #mark(instrument: string, price: number, timeUs: number, turn: Turn): void {
    if (!this.#instruments.has(instrument)) return
    // A candle collected afterwards is history: what the market said since stands.
    if (timeUs < this.#engine.market(instrument as InstrumentId).lastTimeUs) return
    this.#engine.mark(instrument as InstrumentId, price, timeUs)
    turn.put(marks, { instrument, price, time_us: timeUs })
  }

  #release(signalId: SignalId, turn: Turn): void {
    this.#engine.release(signalId)
    turn.remove(reservations, { signal_id: signalId })
  }

  #keepReservation(signalId: SignalId, turn: Turn): void {
    const reservation = this.#engine.reservation(signalId)
    if (reservation === undefined) turn.remove(reservations, { signal_id: signalId })
    else turn.put(reservations, { signal_id: signalId, reservation: JSON.stringify(reservation.toPlain()) })
  }

  #keepBooks(ledger: Ledger, turn: Turn): void {
    turn.put(books, { account: ledger.account, ledger: JSON.stringify(ledger.toPlain()) })
  }
}
