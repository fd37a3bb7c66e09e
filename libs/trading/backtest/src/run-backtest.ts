/** Runs a strategy over recorded markets: the same strategy, risk and ledger code as live, with the fill model as venue. */
import {
  feeModelOf,
  instrumentSymbol,
  instrumentVenue,
  KrxCalendar,
  KrxError,
  kstDateOf,
  parseUnits,
  settlementDate,
  shippedInstrument,
  strategyInstanceId,
  type Instrument,
  type KrxSessions,
  type RecordedMarket,
  type StrategyInstanceId,
} from '@jts/model'
import {
  StrategyError,
  StrategyRunner,
  checkMarket,
  formatParameters,
  parseParameters,
  warmUpOf,
  type AnyStrategy,
} from '@jts/strategy-kit'
import { AccountRun } from './account-run.ts'
import type { BacktestOptions, BacktestResult } from './backtest-options.ts'
import { MarketHours, sessionsFor } from './market-hours.ts'
import { MarketRun } from './market-run.ts'
import { BarReleaser, TradeReleaser, type Releaser } from './release.ts'

/** Bars released at a time; progress is told after every sixty-four of these. */
const PIECE = 1024
const PIECES_PER_PROGRESS = 64

export function runBacktest(options: BacktestOptions): BacktestResult {
  const { strategy, markets } = options
  const slippageBps = options.slippageBps ?? 0
  const openingCash = parseUnits(options.cash ?? '100000')
  const parameters = parseParameters(strategy, options.parameters)
  checkMarkets(strategy, markets)
  const warmUpBars = warmUpOf(strategy, parameters)
  tellShort(markets, warmUpBars, options.log)
  const instruments = markets.map((market) => instrumentOf(market, options.instruments))
  const quoteCurrency = commonQuote(instruments)
  const sessions = sessionsFor(markets)
  const account = new AccountRun(quoteCurrency, openingCash, options.limits ?? {}, markets.length, sessions)
  const runs = instruments.map((instrument, i) => {
    const instance = instanceName(strategy, instrument, markets.length)
    const log = options.log === undefined ? {} : { log: options.log }
    return new MarketRun(
      account,
      new StrategyRunner({ definition: strategy, parameters, instance, instrument, warmUpBars, ...log }),
      feeModelOf(instrument, options.feeRate),
      i,
      slippageBps,
      hoursOf(markets[i]!, instrument, sessions),
    )
  })
  const releasers = markets.map((market, i) =>
    market.kind === 'bars' ? new BarReleaser(market, runs[i]!) : new TradeReleaser(market, runs[i]!),
  )

  const startedMs = options.nowMs()
  if (releasers.length === 1) releaseAlone(releasers[0]!, options.onProgress)
  else releaseTogether(releasers)
  const durationMs = options.nowMs() - startedMs

  const { counts } = account
  for (const market of markets) counts[market.kind] += market.length
  return {
    strategy: strategy.name,
    parameters: formatParameters(strategy.parameters, parameters),
    instruments,
    inputs: markets.map((market) => ({
      file: market.file,
      sha256: market.sha256,
      gaps: market.kind === 'bars' ? market.gaps : 0,
    })),
    counts,
    warmUpBars: markets.some(({ kind }) => kind === 'bars') ? warmUpBars : 0,
    denials: account.denials,
    fills: account.fills.toFills(),
    ledger: account.ledger,
    quoteCurrency,
    openingCash,
    lastPrices: new Map(runs.map((run) => [run.instrument.id, run.riskMarket.lastPrice])),
    drawdownMax: account.watch.drawdownMax,
    slippageBps,
    feeRate: runs[0]!.fees.rate,
    durationMs,
  }
}

function releaseAlone(releaser: Releaser, onProgress: BacktestOptions['onProgress']): void {
  const total = releaser.length
  const pieces = Math.ceil(total / PIECE)
  for (let piece = 1; piece <= pieces; piece++) {
    releaser.releaseMany(PIECE)
    if (piece % PIECES_PER_PROGRESS === 0 || piece === pieces) onProgress?.(Math.min(piece * PIECE, total), total)
  }
}

/** In order of time; at the same time in the order in which the markets were given. */
function releaseTogether(releasers: readonly Releaser[]): void {
  for (;;) {
    let next: Releaser | undefined
    let earliest = Infinity
    for (const releaser of releasers) {
      const timeUs = releaser.timeUs()
      if (timeUs < earliest) {
        earliest = timeUs
        next = releaser
      }
    }
    if (next === undefined) return
    next.release()
  }
}

function checkMarkets(strategy: AnyStrategy, markets: readonly RecordedMarket[]): void {
  if (markets.length === 0) throw new StrategyError('expected at least one recorded market, found none')
  const names = new Set(markets.map((market) => market.instrument))
  if (names.size !== markets.length) throw new StrategyError('expected one recording per instrument, found one twice')
  for (const market of markets) {
    const { file } = market
    checkCosts(market)
    checkMarket(strategy, market.kind === 'bars' ? { file, timeframe: market.timeframe } : { file })
  }
}

/** A recording that the warm-up uses up is no mistake, but says nothing of the strategy. */
function tellShort(markets: readonly RecordedMarket[], warmUpBars: number, log: BacktestOptions['log']): void {
  for (const { file, kind, length } of markets) {
    if (kind !== 'bars' || warmUpBars === 0 || length > warmUpBars) continue
    log?.(`${file}: expected more bars than the ${warmUpBars} of the warm-up, found ${length}: nothing can be ordered`)
  }
}

function hoursOf(
  market: RecordedMarket,
  instrument: Instrument,
  sessions: KrxSessions | undefined,
): MarketHours | undefined {
  if (sessions === undefined || instrument.sessions === undefined || market.kind !== 'bars') return undefined
  return new MarketHours(instrument, market.timeframe, sessions)
}

/** The taxes of a Korean share are known for the years of the calendar, up to trades that settle in it. */
function checkCosts(market: RecordedMarket): void {
  if (instrumentVenue(market.instrument) !== 'KRX') return
  const calendar = new KrxCalendar()
  for (const timeUs of [firstTimeUs(market), lastTimeUs(market)]) {
    try {
      settlementDate(kstDateOf(timeUs), calendar)
    } catch (error) {
      if (!(error instanceof KrxError)) throw error
      throw new StrategyError(`${market.file}: the taxes of its trades are not known: ${error.message}`, {
        cause: error,
      })
    }
  }
}

function instrumentOf(market: RecordedMarket, given: readonly Instrument[] = []): Instrument {
  return (
    given.find((one) => one.id === market.instrument) ??
    shippedInstrument(market.instrument, kstDateOf(firstTimeUs(market)))
  )
}

/** A recording over a change of the tick table keeps the ticks with which it begins. */
function firstTimeUs(market: RecordedMarket): number {
  return (market.kind === 'bars' ? market.openTimeUs : market.timeUs)[0]!
}

function lastTimeUs(market: RecordedMarket): number {
  return (market.kind === 'bars' ? market.openTimeUs : market.timeUs).at(-1)!
}

function commonQuote(instruments: readonly Instrument[]): string {
  const quotes = [...new Set(instruments.map((instrument) => instrument.quoteCurrency))]
  if (quotes.length > 1) throw new StrategyError(`expected one quote currency in a run, found ${quotes.join(', ')}`)
  return quotes[0]!
}

function instanceName(strategy: AnyStrategy, instrument: Instrument, marketCount: number): StrategyInstanceId {
  return strategyInstanceId(marketCount === 1 ? strategy.name : `${strategy.name}-${instrumentSymbol(instrument.id)}`)
}
