/**
 * The fills of a run in columns, made into `Fill`s when they are asked for: tens of thousands of objects that live to the
 * end of the run would be copied by the garbage collector again and again while it runs.
 */
import type { Fill, Side, Units } from '@jts/model'

type FillOwner = Pick<Fill, 'account' | 'strategy' | 'instrument'> & {
  /** In which currency the fee of each side is taken. */
  readonly feeCurrencies: Readonly<Record<Side, string>>
}

/** Numbers kept for each fill, side by side in one typed array. */
const OWNER = 0
const ORDER = 1
const IS_BUY = 2
const IS_MAKER = 3
const TIME_US = 4
const NUMBERS = 5
const CAPACITY_FIRST = 1024

export class FillLog {
  readonly #owners: FillOwner[] = []
  #numbers = new Float64Array(CAPACITY_FIRST * NUMBERS)
  readonly #amounts: Units[] = []
  count = 0

  /** Who the fills of one market belong to; the number is given with each of them. */
  addOwner(owner: FillOwner): number {
    return this.#owners.push(owner) - 1
  }

  /** The trade id is the fill's number in the run, from 1; the order id the instance and the order's number in it. */
  add(
    owner: number,
    order: number,
    fill: Pick<Fill, 'side' | 'liquidity' | 'timeUs' | 'quantity' | 'price' | 'fee'>,
  ): void {
    if ((this.count + 1) * NUMBERS > this.#numbers.length) this.#grow()
    const numbers = this.#numbers
    const at = this.count++ * NUMBERS
    numbers[at + OWNER] = owner
    numbers[at + ORDER] = order
    numbers[at + IS_BUY] = fill.side === 'buy' ? 1 : 0
    numbers[at + IS_MAKER] = fill.liquidity === 'maker' ? 1 : 0
    numbers[at + TIME_US] = fill.timeUs
    this.#amounts.push(fill.quantity, fill.price, fill.fee)
  }

  toFills(): Fill[] {
    return Array.from({ length: this.count }, (_, i) => {
      const number = (which: number): number => this.#numbers[i * NUMBERS + which]!
      const { account, strategy, instrument, feeCurrencies } = this.#owners[number(OWNER)]!
      const tradeId = String(i + 1)
      const side = number(IS_BUY) === 1 ? 'buy' : 'sell'
      return {
        fillId: tradeId,
        account,
        strategy,
        instrument,
        side,
        quantity: this.#amounts[i * 3]!,
        price: this.#amounts[i * 3 + 1]!,
        fee: this.#amounts[i * 3 + 2]!,
        feeCurrency: feeCurrencies[side],
        liquidity: number(IS_MAKER) === 1 ? 'maker' : 'taker',
        timeUs: number(TIME_US),
        tradeId,
        orderId: `${strategy}-${number(ORDER)}` as Fill['orderId'],
      }
    })
  }

  #grow(): void {
    const larger = new Float64Array(this.#numbers.length * 2)
    larger.set(this.#numbers)
    this.#numbers = larger
  }
}
