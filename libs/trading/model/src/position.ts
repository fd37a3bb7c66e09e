/** One strategy's holding of one instrument: quantity and *total* cost, never an average, so that nothing drifts. */
import { divide, formatUnits, parseUnits, type Units } from './numbers.ts'

export type PositionPlain = { readonly quantity: string; readonly totalCost: string; readonly realisedPnl: string }

export class Position {
  /** In base units, after fees that were taken from the base; negative for a short. */
  quantity: Units = 0n
  /** What the quantity held has cost in quote currency; negative proceeds for a short. */
  totalCost: Units = 0n
  /** Net of every fee in base or quote currency. */
  realisedPnl: Units = 0n

  buy(quantity: Units, notional: Units): void {
    if (this.quantity >= 0n) this.#open(quantity, notional)
    else this.#trade(quantity, notional)
  }

  sell(quantity: Units, notional: Units): void {
    if (quantity === this.quantity) {
      this.realisedPnl += notional - this.totalCost
      this.totalCost = 0n
      this.quantity = 0n
    } else this.#trade(-quantity, -notional)
  }

  /** A fee in base leaves fewer units for the same cost; when nothing is left, neither may any cost be. */
  takeBaseFee(fee: Units): void {
    this.quantity -= fee
    if (this.quantity === 0n) {
      this.realisedPnl -= this.totalCost
      this.totalCost = 0n
    }
  }

  #open(quantity: Units, notional: Units): void {
    this.quantity += quantity
    this.totalCost += notional
  }

  /** The general case, signed: closes against the position first; what is beyond it opens the other side. */
  #trade(quantity: Units, notional: Units): void {
    const opposed = (this.quantity > 0n && quantity < 0n) || (this.quantity < 0n && quantity > 0n)
    if (!opposed) return this.#open(quantity, notional)
    const held = this.quantity < 0n ? -this.quantity : this.quantity
    const traded = quantity < 0n ? -quantity : quantity
    const closed = traded < held ? traded : held
    const notionalClosed = closed === traded ? notional : divide(notional * closed, traded, 'half-even')
    const costClosed = closed === held ? this.totalCost : divide(this.totalCost * closed, held, 'half-even')
    const quantityClosed = quantity < 0n ? -closed : closed
    this.realisedPnl -= notionalClosed + costClosed
    this.totalCost -= costClosed
    this.quantity += quantityClosed
    if (traded > closed) this.#open(quantity - quantityClosed, notional - notionalClosed)
  }

  toPlain(): PositionPlain {
    return {
      quantity: formatUnits(this.quantity),
      totalCost: formatUnits(this.totalCost),
      realisedPnl: formatUnits(this.realisedPnl),
    }
  }

  static fromPlain(plain: PositionPlain): Position {
    const position = new Position()
    position.quantity = parseUnits(plain.quantity)
    position.totalCost = parseUnits(plain.totalCost)
    position.realisedPnl = parseUnits(plain.realisedPnl)
    return position
  }
}
