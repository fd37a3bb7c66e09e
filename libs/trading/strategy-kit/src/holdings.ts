/** What a strategy holds and has outstanding: position, working and unknown orders. Changes in place, on order events only. */
import { floorToStep, formatUnits, parseUnits, unitsToFloat, type Units } from '@jts/model/numbers'
import { OpenList } from '@jts/model/open-list'
import type { Side } from '@jts/model/bars'
import type { PositionView } from './define-strategy.ts'

export class OpenOrder {
  readonly number: number
  readonly side: Side
  /** Base quantity not yet filled; for an order sized in quote 0, it ends by its closing event. */
  leaves: Units
  isUnknown = false

  constructor(number: number, side: Side, leaves: Units) {
    this.number = number
    this.side = side
    this.leaves = leaves
  }
}

export type HoldingsPlain = {
  readonly units: string
  readonly open: readonly { number: number; side: Side; leaves: string; isUnknown: boolean }[]
}

export class Holdings implements PositionView {
  units: Units = 0n
  quantity = 0
  sellable: Units = 0n
  isFlat = true
  isLong = false
  working = 0
  unknown = 0
  readonly #lotSize: Units
  readonly #open = new OpenList<OpenOrder>()

  constructor(lotSize: Units) {
    this.#lotSize = lotSize
  }

  open(number: number, side: Side, quantity: Units): void {
    this.#open.add(new OpenOrder(number, side, quantity))
    this.working++
    this.#refresh()
  }

  isOpen(number: number): boolean {
    return this.#find(number) !== undefined
  }

  /** `net` is what the position gains or loses, fees in base taken off. A filled order is closed by its last fill. */
  fill(number: number, quantity: Units, net: Units): void {
    this.units += net
    const order = this.#find(number)
    if (order !== undefined && order.leaves !== 0n) {
      order.leaves -= quantity
      if (order.leaves <= 0n) this.#remove(order)
    }
    this.#refresh()
  }

  close(number: number): void {
    const order = this.#find(number)
    if (order === undefined) return
    this.#remove(order)
    this.#refresh()
  }

  setUnknown(number: number, isUnknown: boolean): void {
    const order = this.#find(number)
    if (order === undefined || order.isUnknown === isUnknown) return
    order.isUnknown = isUnknown
    this.unknown += isUnknown ? 1 : -1
    this.working += isUnknown ? -1 : 1
    this.#refresh()
  }

  /** For reconciliation: the position as the books say it. */
  setUnits(units: Units): void {
    this.units = units
    this.#refresh()
  }

  /** What working and unknown orders would add (negative: take away) when they fill. */
  outstanding(): Units {
    let sum = 0n
    for (const order of this.#open.toArray()) sum += order.side === 'buy' ? order.leaves : -order.leaves
    return sum
  }

  #find(number: number): OpenOrder | undefined {
    for (let i = 0; i < this.#open.count; i++) {
      const order = this.#open.at(i)
      if (order.number === number) return order
    }
    return undefined
  }

  #remove(order: OpenOrder): void {
    for (let i = 0; i < this.#open.count; i++) if (this.#open.at(i) === order) this.#open.removeAt(i)
    if (order.isUnknown) this.unknown--
    else this.working--
  }

  #refresh(): void {
    let free = this.units
    for (let i = 0; i < this.#open.count; i++) {
      const order = this.#open.at(i)
      if (order.side === 'sell') free -= order.leaves
    }
    this.quantity = unitsToFloat(this.units)
    this.sellable = free > 0n ? floorToStep(free, this.#lotSize) : 0n
    this.isLong = this.sellable > 0n
    this.isFlat = this.units < this.#lotSize && this.working === 0 && this.unknown === 0
  }

  toPlain(): HoldingsPlain {
    const open = this.#open.toArray().map(({ number, side, leaves, isUnknown }) => ({
      number,
      side,
      leaves: formatUnits(leaves),
      isUnknown,
    }))
    return { units: formatUnits(this.units), open }
  }

  restore(plain: HoldingsPlain): void {
    this.#open.clear()
    this.working = this.unknown = 0
    for (const { number, side, leaves, isUnknown } of plain.open) {
      this.open(number, side, parseUnits(leaves))
      if (isUnknown) this.setUnknown(number, true)
    }
    this.setUnits(parseUnits(plain.units))
  }
}
