/**
 * The fills of a run in typed columns, made into `Fill`s when they are asked for: tens of thousands of objects (and as many
 * bigints, which are objects too) that live to the end of the run would be copied by the garbage collector while it runs.
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
/** Amounts kept for each fill. */
const QUANTITY = 0
const PRICE = 1
const FEE = 2
const AMOUNTS = 3
const CAPACITY_FIRST = 1024

export class FillLog {
  readonly #owners: FillOwner[] = []
  #numbers = new Float64Array(CAPACITY_FIRST * NUMBERS)
  #amounts = new BigInt64Array(CAPACITY_FIRST * AMOUNTS)
  /** What 64 bits do not hold (92 billion at eight decimals), by its place in the column. */
  readonly #large = new Map<number, Units>()
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
    const of = (at / NUMBERS) * AMOUNTS
    this.#keep(of + QUANTITY, fill.quantity)
    this.#keep(of + PRICE, fill.price)
    this.#keep(of + FEE, fill.fee)
  }

  #keep(place: number, amount: Units): void {
    this.#amounts[place] = amount
    if (this.#amounts[place] !== amount) this.#large.set(place, amount)
  }

  toFills(): Fill[] {
    return Array.from({ length: this.count }, (_, i) => {
      const number = (which: number): number => this.#numbers[i * NUMBERS + which]!
      const amount = (which: number): Units =>
        this.#large.get(i * AMOUNTS + which) ?? this.#amounts[i * AMOUNTS + which]!
      const { account, strategy, instrument, feeCurrencies } = this.#owners[number(OWNER)]!
      const tradeId = String(i + 1)
      const side = number(IS_BUY) === 1 ? 'buy' : 'sell'
      return {
        fillId: tradeId,
        account,
        strategy,
        instrument,
        side,
        quantity: amount(QUANTITY),
        price: amount(PRICE),
        fee: amount(FEE),
        feeCurrency: feeCurrencies[side],
        liquidity: number(IS_MAKER) === 1 ? 'maker' : 'taker',
        timeUs: number(TIME_US),
        tradeId,
        orderId: `${strategy}-${number(ORDER)}` as Fill['orderId'],
      }
    })
  }

  #grow(): void {
    const numbers = new Float64Array(this.#numbers.length * 2)
    numbers.set(this.#numbers)
    this.#numbers = numbers
    const amounts = new BigInt64Array(this.#amounts.length * 2)
    amounts.set(this.#amounts)
    this.#amounts = amounts
  }
}
