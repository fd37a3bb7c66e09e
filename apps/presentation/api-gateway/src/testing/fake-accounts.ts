/** Made-up accounts behind the fake ports: what is held by the fills, and what it is worth. */
import type { Side } from '@jts/model/bars'
import type { Mode } from '@jts/model/ids'
import { formatUnits, multiplyUnits, parseUnits, unitsFromFloat } from '@jts/model/numbers'
import type { AccountView, CandleView, PositionView } from '../ports.ts'
import { marketOf, MINUTE_US, START_US } from './fake-markets.ts'

/** Bought on Thursday, sold and bought on Friday the 14th; the 17th and 18th are the days they are settled. */
const SETTLEMENT: NonNullable<AccountView['settlement']> = {
  currency: 'KRW',
  date: '2025-03-14',
  settled: '32054020',
  days: [
    { date: '2025-03-17', receivable: '0', payable: '1428214' },
    { date: '2025-03-18', receivable: '1712442', payable: '857748' },
  ],
  orderable: { amount: '30629190', timeUs: START_US + 14 * MINUTE_US },
}

export class FakeAccounts {
  readonly #mode: Mode
  readonly #markets: { last(instrument: string): CandleView | undefined }
  readonly #held = new Map<string, { quantity: bigint; cost: bigint }>()

  constructor(mode: Mode, markets: { last(instrument: string): CandleView | undefined }) {
    this.#mode = mode
    this.#markets = markets
  }

  book(instrument: string, side: Side, quantity: bigint, notional: bigint): void {
    const held = this.#held.get(instrument) ?? { quantity: 0n, cost: 0n }
    if (side === 'buy') {
      this.#held.set(instrument, { quantity: held.quantity + quantity, cost: held.cost + notional })
      return
    }
    const left = held.quantity > quantity ? held.quantity - quantity : 0n
    const cost = held.quantity === 0n ? 0n : (held.cost * left) / held.quantity
    this.#held.set(instrument, { quantity: left, cost })
  }

  view(instrument: string, currency: string, cash: string, realisedPnl: string): AccountView {
    const position = this.#position(instrument, realisedPnl)
    const mark = multiplyUnits(parseUnits(position.quantity), parseUnits(position.markPrice), 'half-even')
    return {
      account: this.of(instrument),
      equity: formatUnits(parseUnits(cash) + mark),
      equityCurrency: currency,
      realisedPnl,
      unrealisedPnl: position.unrealisedPnl,
      cash: { [currency]: cash },
      fees: { [currency]: currency === 'KRW' ? '1284' : '28.86120417' },
      positions: position.quantity === '0' ? [] : [position],
      adjusted: {},
      reconciled: currency === 'KRW' ? 'unchecked' : 'equal',
      differences: [],
      ...(currency === 'KRW' ? { settlement: SETTLEMENT } : {}),
    }
  }

  of(instrument: string): string {
    return `${this.#mode}.${instrument.startsWith('KRX') ? 'kis' : 'binance'}.main`
  }

  #position(instrument: string, realisedPnl: string): PositionView {
    const { quantity, cost } = this.#held.get(instrument) ?? { quantity: 0n, cost: 0n }
    const mark = unitsFromFloat(this.#markets.last(instrument)?.close ?? marketOf(instrument).price)
    const value = multiplyUnits(quantity, mark, 'half-even')
    return {
      strategy: instrument.startsWith('KRX') ? 'breakout-samsung' : 'ema-btc',
      instrument,
      quantity: formatUnits(quantity),
      averagePrice: quantity === 0n ? '0' : formatUnits((cost * 100_000_000n) / quantity),
      totalCost: formatUnits(cost),
      markPrice: formatUnits(mark),
      unrealisedPnl: formatUnits(value - cost),
      realisedPnl,
    }
  }
}
