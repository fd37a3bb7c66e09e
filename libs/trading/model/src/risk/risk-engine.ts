/**
 * Risk before an order: one engine for the backtester and for the risk service. `check` judges an intent by the rules in
 * `rules.ts` and, when it approves, reserves what the order may need until `release` or its fills free it.
 */
import { ONE, unitsFromFloat, type Units } from '../numbers.ts'
import type { AccountId, InstrumentId, SignalId, StrategyInstanceId } from '../ids.ts'
import type { Instrument } from '../instruments.ts'
import type { Fill } from '../fills.ts'
import type { KrxSessions } from '../krx/sessions.ts'
import { Ledger, type LedgerPlain } from '../ledger.ts'
import { ANSWERS_KEPT_DEFAULT, Answers, sameIntent } from './answers.ts'
import { malformation, orderContent } from './intent-form.ts'
import { OrderRate } from './order-rate.ts'
import { Reservation, Reservations, type ReservationPlain } from './reservations.ts'
import { figureOf } from './figures.ts'
import { Holds } from './holds.ts'
import { RISK_RULES, type Denial } from './rules.ts'
import { RiskMarket, RiskQuestion } from './risk-question.ts'
import { TradingStates } from './trading-states.ts'
import {
  MARKET_COLLAR_DEFAULT,
  type AdvisoryPortfolio,
  type RiskCheck,
  type RiskDecision,
  type RiskIntent,
  type RiskLimits,
  type TradingScope,
  type TradingState,
} from './risk-types.ts'

export type RiskEngineOptions = {
  /** Answers remembered for a signal that is asked twice; 0 for a caller that never repeats one, or remembers itself. */
  readonly answersKept?: number
  /** Trading hours of the venues that have some; without them no order is denied for its hour. */
  readonly sessions?: KrxSessions
}

export type RiskOptions = { readonly explain?: boolean }

export type RiskEnginePlain = {
  readonly ledgers: readonly LedgerPlain[]
  readonly reservations: readonly ReservationPlain[]
  readonly tradingStates: Readonly<Record<string, TradingState>>
  readonly marks: readonly { readonly instrument: string; readonly price: number; readonly timeUs: number }[]
  readonly recentOrders: readonly (readonly [string, number])[]
  readonly answers: readonly unknown[]
}

const NO_CHECKS: readonly RiskCheck[] = []

export class RiskEngine {
  readonly limits: RiskLimits
  readonly #collar: Units
  readonly #feeRate: Units
  readonly #markets = new Map<InstrumentId, RiskMarket>()
  readonly #ledgers = new Map<AccountId, Ledger>()
  readonly #states = new TradingStates()
  /** What JTS itself lets only reduce; the caller sets and lifts. */
  readonly holds = new Holds()
  readonly #question = new RiskQuestion()
  #reservations = new Reservations()
  readonly #answers: Answers
  /** Market time of the last approval by content; kept only where a duplicate window is set. */
  readonly #recentOrders = new Map<string, number>()
  readonly #rate: OrderRate | undefined

  constructor(limits: RiskLimits = {}, options: RiskEngineOptions = {}) {
    this.#answers = new Answers(options.answersKept ?? ANSWERS_KEPT_DEFAULT)
    this.limits = limits
    if (limits.ordersPerMinuteMax !== undefined) this.#rate = new OrderRate(limits.ordersPerMinuteMax)
    this.#question.sessions = options.sessions
    this.#collar = ONE + unitsFromFloat(limits.marketCollar ?? MARKET_COLLAR_DEFAULT)
    this.#feeRate = unitsFromFloat(limits.feeRateReserved ?? 0)
  }

  setInstrument(instrument: Instrument): void {
    const before = this.#markets.get(instrument.id)
    const market = new RiskMarket(instrument)
    if (before !== undefined) {
      market.lastPrice = before.lastPrice
      market.lastTimeUs = before.lastTimeUs
    }
    this.#markets.set(instrument.id, market)
  }

  /** The market as risk sees it; a loop over bars sets its `lastPrice` directly. @throws Error for an unknown instrument. */
  market(instrument: InstrumentId): RiskMarket {
    const market = this.#markets.get(instrument)
    if (market === undefined)
      throw new Error(`expected ${instrument} to be set before it is used, found no such instrument`)
    return market
  }

  mark(instrument: InstrumentId, price: number, timeUs: number): void {
    const market = this.market(instrument)
    market.lastPrice = price
    market.lastTimeUs = timeUs
  }

  setTradingState(scope: TradingScope, state: TradingState): void {
    this.#states.set(scope, state)
  }

  /** The strictest state that applies. */
  tradingState(account: AccountId, strategy: StrategyInstanceId): TradingState {
    return this.#states.of(account, strategy)
  }

  setCash(account: AccountId, currency: string, units: Units): void {
    this.ledger(account).cash.set(currency, units)
  }

  accounts(): Iterable<AccountId> {
    return this.#ledgers.keys()
  }

  /** The books that cash and positions are read from; made when there are none. */
  ledger(account: AccountId): Ledger {
    let ledger = this.#ledgers.get(account)
    if (ledger === undefined) this.#ledgers.set(account, (ledger = new Ledger(account)))
    return ledger
  }

  /** Shares books that someone else keeps: then fills are booked there, and only `fillReservation` is called here. */
  useLedger(ledger: Ledger): void {
    this.#ledgers.set(ledger.account, ledger)
  }

  /** Books a fill in the engine's own ledger and frees its part of the reservation. */
  applyFill(fill: Fill, signalId?: SignalId): void {
    this.ledger(fill.account).applyFill(fill, this.market(fill.instrument).instrument)
    if (signalId !== undefined) this.fillReservation(signalId, fill.quantity, fill.price)
  }

  fillReservation(signalId: SignalId, quantity: Units, price: Units): void {
    this.#reservations.fill(signalId, quantity, price)
  }

  /** The signal has ended: what it still reserved is free. False when it reserved nothing. */
  release(signalId: SignalId): boolean {
    return this.#reservations.release(signalId)
  }

  reservation(signalId: SignalId): Reservation | undefined {
    return this.#reservations.get(signalId)
  }

  cashReserved(account: AccountId, currency: string): Units {
    return this.#reservations.cashReserved(account, currency)
  }

  /** An approval from before a restart, in the order of their times. */
  rememberApproval(account: AccountId, timeUs: number): void {
    this.#rate?.approved(account, timeUs)
  }

  /** Judges an intent and reserves for it when it is approved. The intent must not be changed afterwards. */
  check(intent: RiskIntent, nowUs: number, options?: RiskOptions): RiskDecision {
    const answered = this.#answers.get(intent.signalId)
    if (answered !== undefined) {
      if (sameIntent(answered.intent, intent)) return answered.decision
      return refusal('DUPLICATE_SIGNAL', `expected the content first given for ${intent.signalId}, found other content`)
    }
    const decision = this.#decide(intent, nowUs, options?.explain === true)
    this.#answers.set(intent, decision)
    return decision
  }

  /** Judges an intent by the rules and a stated portfolio; reserves and remembers nothing. `quantity` is 0 when denied. */
  checkAdvisory(
    intent: RiskIntent,
    portfolio: AdvisoryPortfolio,
    nowUs = intent.signalTimeUs,
  ): RiskDecision & { adjustedQuantity: Units } {
    const refused = this.#prepare(intent, nowUs)
    if (refused !== undefined) return { ...refused, adjustedQuantity: 0n }
    const question = this.#question
    question.cashFree = portfolio.cash[question.instrument.quoteCurrency] ?? 0n
    question.sellable = portfolio.positions[intent.instrument] ?? 0n
    question.exposure = question.valueOf(question.sellable)
    question.sameOrderTimeUs = question.rateOldestUs = NaN
    const decision = this.#judge(true)
    return { ...decision, adjustedQuantity: decision.approved ? decision.quantity : 0n }
  }

  #decide(intent: RiskIntent, nowUs: number, explain: boolean): RiskDecision {
    const refused = this.#prepare(intent, nowUs)
    if (refused !== undefined) return refused
    const question = this.#question
    const { account, strategy, instrument } = intent
    const currency = question.instrument.quoteCurrency
    const ledger = this.ledger(account)
    const reservations = this.#reservations
    question.cashFree = ledger.cashOf(currency) - reservations.cashReserved(account, currency)
    question.sellable =
      ledger.position(strategy, instrument).quantity - reservations.quantityReserved(account, strategy, instrument)
    // What was taken out of the account without a trade is still in the position, and nobody can sell it.
    const unassigned = ledger.cashOf(question.instrument.baseCurrency)
    if (unassigned < 0n) question.sellable += unassigned
    if (this.limits.exposureMaxPerInstrument !== undefined) {
      question.exposure =
        question.valueOf(ledger.quantityOf(instrument)) + reservations.cashReservedIn(account, instrument)
    }
    question.rateOldestUs = this.#rate === undefined ? NaN : this.#rate.oldestUs(account)
    const windowUs = this.limits.duplicateWindowUs
    const content = windowUs === undefined ? '' : orderContent(intent)
    question.sameOrderTimeUs = windowUs === undefined ? NaN : (this.#recentOrders.get(content) ?? NaN)
    const decision = this.#judge(explain)
    if (decision.approved) {
      this.#reserve(intent, currency)
      this.#rate?.approved(account, nowUs)
      if (windowUs !== undefined) this.#rememberOrder(content, nowUs, windowUs)
    }
    return decision
  }

  /** The map stands in the order of its times: those the window has passed are in front, and go. */
  #rememberOrder(content: string, nowUs: number, windowUs: number): void {
    this.#recentOrders.delete(content)
    this.#recentOrders.set(content, nowUs)
    for (const [old, timeUs] of this.#recentOrders) {
      if (nowUs - timeUs <= windowUs) return
      this.#recentOrders.delete(old)
    }
  }

  /** Sets up the question; a refusal when it cannot even be asked. */
  #prepare(intent: RiskIntent, nowUs: number): RiskDecision | undefined {
    const market = this.#markets.get(intent.instrument)
    if (market === undefined) {
      return refusal('INSTRUMENT_UNKNOWN', `expected a known instrument, found ${intent.instrument}`)
    }
    const malformed = malformation(intent)
    if (malformed !== undefined) return refusal('MALFORMED_INTENT', malformed)
    const question = this.#question
    question.intent = intent
    question.market = market
    question.instrument = market.instrument
    question.limits = this.limits
    question.nowUs = nowUs
    question.tradingState = this.#states.ofAccount(intent.account)
    question.strategyState = this.#states.ofStrategy(intent.account, intent.strategy)
    question.hold = this.holds.of(intent.account, intent.instrument)
    question.measure(this.#collar, this.#feeRate)
    return undefined
  }

  #judge(explain: boolean): RiskDecision {
    const question = this.#question
    const checks: RiskCheck[] | undefined = explain ? [] : undefined
    let denial: Denial | undefined
    for (const rule of RISK_RULES) {
      const found = rule.check(question)
      if (found !== undefined) denial ??= found
      if (checks === undefined) {
        if (found !== undefined) break
      } else
        checks.push(found === undefined ? passed(rule.name, question) : { rule: rule.name, passed: false, ...found })
    }
    const riskScore = question.riskScore()
    if (denial === undefined) {
      return { approved: true, quantity: question.quantity, riskScore, checks: checks ?? NO_CHECKS }
    }
    const { code, reason } = denial
    return { approved: false, reasonCode: code, reason, riskScore, checks: checks ?? NO_CHECKS }
  }

  #reserve(intent: RiskIntent, currency: string): void {
    const { quantity, priceWorst, cashNeeded } = this.#question
    const isSell = intent.side === 'sell'
    this.#reservations.add(
      new Reservation(
        intent.signalId,
        intent.account,
        intent.strategy,
        intent.instrument,
        currency,
        intent.quantity ?? 0n,
        priceWorst,
        isSell ? 0n : cashNeeded,
        isSell ? quantity : 0n,
      ),
    )
  }

  toPlain(): RiskEnginePlain {
    return {
      ledgers: [...this.#ledgers.values()].map((ledger) => ledger.toPlain()),
      reservations: this.#reservations.toPlain(),
      tradingStates: this.#states.toPlain(),
      marks: [...this.#markets.values()]
        .filter((market) => !Number.isNaN(market.lastPrice))
        .map(({ instrument, lastPrice, lastTimeUs }) => ({
          instrument: instrument.id,
          price: lastPrice,
          timeUs: lastTimeUs,
        })),
      recentOrders: [...this.#recentOrders],
      answers: this.#answers.toPlain(),
    }
  }

  /** The instruments are set anew, since filters are the venue's and not ours; a mark of one not given is dropped. */
  static fromPlain(
    plain: RiskEnginePlain,
    limits: RiskLimits,
    instruments: readonly Instrument[],
    options: RiskEngineOptions = {},
  ): RiskEngine {
    const engine = new RiskEngine(limits, options)
    for (const instrument of instruments) engine.setInstrument(instrument)
    for (const ledger of plain.ledgers) engine.useLedger(Ledger.fromPlain(ledger))
    for (const { instrument, price, timeUs } of plain.marks) {
      if (engine.#markets.has(instrument as InstrumentId)) engine.mark(instrument as InstrumentId, price, timeUs)
    }
    for (const [content, timeUs] of plain.recentOrders) engine.#recentOrders.set(content, timeUs)
    engine.#states.restore(plain.tradingStates)
    engine.#reservations = Reservations.fromPlain(plain.reservations)
    engine.#answers.restore(plain.answers)
    return engine
  }
}

function passed(rule: string, question: RiskQuestion): RiskCheck {
  const reason = figureOf(rule, question)
  return reason === undefined ? { rule, passed: true } : { rule, passed: true, reason }
}

function refusal(
  reasonCode: 'DUPLICATE_SIGNAL' | 'INSTRUMENT_UNKNOWN' | 'MALFORMED_INTENT',
  reason: string,
): RiskDecision {
  return { approved: false, reasonCode, reason, riskScore: 0, checks: NO_CHECKS }
}
