/** Price steps that grow with the price: one table type for the KRX, Upbit and whoever else has one. */
import { ceilToStep, floorToStep, type Units } from './numbers.ts'

/** From this price on, prices are multiples of this tick size. Each `from` is a multiple of the tick sizes beside it. */
export type TickBand = { readonly from: Units; readonly tickSize: Units }

/** Where prices may lie: one tick size, or bands of them, lowest first. */
export type PriceGrid = { readonly tickSize: Units; readonly tickBands?: readonly TickBand[] | undefined }

export function tickSizeAt({ tickSize, tickBands }: PriceGrid, price: Units): Units {
  if (tickBands === undefined) return tickSize
  for (let i = tickBands.length - 1; i > 0; i--) {
    const band = tickBands[i]!
    if (price >= band.from) return band.tickSize
  }
  return tickBands[0]!.tickSize
}

export function isOnTick(grid: PriceGrid, price: Units): boolean {
  return price % tickSizeAt(grid, price) === 0n
}

/** The highest price of the grid that is not above this one. */
export function floorToTick(grid: PriceGrid, price: Units): Units {
  return floorToStep(price, tickSizeAt(grid, price))
}

/** The lowest price of the grid that is not below this one. */
export function ceilToTick(grid: PriceGrid, price: Units): Units {
  return ceilToStep(price, tickSizeAt(grid, price))
}
