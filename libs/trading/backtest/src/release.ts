/** How recorded events reach a market's run: bars as `open`, `range`, `close`; trades one by one. */
import type { RecordedBars, RecordedTrades } from '@jts/model'
import { BarView } from './bar-view.ts'
import type { MarketRun } from './market-run.ts'
import { TradeView } from './trade-view.ts'

/** A market's events in time: `timeUs` is the next one's, Infinity when none is left. */
export type Releaser = { readonly length: number; timeUs(): number; release(): void; releaseMany(count: number): void }

export class BarReleaser implements Releaser {
  readonly #bars: RecordedBars
  readonly #run: MarketRun
  readonly #view: BarView
  #next = 0
  #isOpened = false

  constructor(bars: RecordedBars, run: MarketRun) {
    this.#bars = bars
    this.#run = run
    this.#view = new BarView(bars)
  }

  get length(): number {
    return this.#bars.length
  }

  timeUs(): number {
    if (this.#next >= this.#bars.length) return Infinity
    return (this.#isOpened ? this.#bars.closeTimeUs : this.#bars.openTimeUs)[this.#next]!
  }

  /** The next phase, for several markets whose phases interleave. */
  release(): void {
    if (!this.#isOpened) {
      this.#open(this.#next)
      this.#isOpened = true
    } else {
      this.#close(this.#next++)
      this.#isOpened = false
    }
  }

  /** Whole bars, for a market that is alone. */
  releaseMany(count: number): void {
    const end = Math.min(this.#next + count, this.#bars.length)
    for (let i = this.#next; i < end; i++) {
      this.#open(i)
      this.#close(i)
    }
    this.#next = end
  }

  #open(i: number): void {
    const run = this.#run
    if (run.matching.orderCount === 0) return
    // Risk goes on judging by the last close: an open is not announced, only its fills are.
    run.open(this.#bars.open[i]!, this.#bars.openTimeUs[i]!)
  }

  #close(i: number): void {
    const bars = this.#bars
    const run = this.#run
    const timeUs = bars.closeTimeUs[i]!
    if (run.matching.orderCount !== 0) run.range(bars.low[i]!, bars.high[i]!, timeUs)
    const view = this.#view
    view.show(bars, i)
    run.mark(view.close, timeUs)
    run.runner.onBar(view)
    if (run.runner.intentCount !== 0) run.answer(view.close, timeUs)
    run.watchEquity()
  }
}

export class TradeReleaser implements Releaser {
  readonly #trades: RecordedTrades
  readonly #run: MarketRun
  readonly #view: TradeView
  #next = 0

  constructor(trades: RecordedTrades, run: MarketRun) {
    this.#trades = trades
    this.#run = run
    this.#view = new TradeView(trades)
  }

  get length(): number {
    return this.#trades.length
  }

  timeUs(): number {
    return this.#next < this.#trades.length ? this.#trades.timeUs[this.#next]! : Infinity
  }

  release(): void {
    const run = this.#run
    const view = this.#view
    view.show(this.#trades, this.#next++)
    // As with an open: risk judges what a fill causes by the trade before, this one is announced after its fills.
    if (run.matching.orderCount !== 0) run.trade(view.price, view.timeUs)
    run.mark(view.price, view.timeUs)
    run.runner.onTrade(view)
    if (run.runner.intentCount !== 0) run.answer(view.price, view.timeUs)
    run.watchEquity()
  }

  releaseMany(count: number): void {
    const end = Math.min(this.#next + count, this.#trades.length)
    while (this.#next < end) this.release()
  }
}
