/**
 * The fills of a run in columns, made into `Fill`s when they are asked for: tens of thousands of objects that live to the
 * end of the run would be copied by the garbage collector again and again while it runs.
 */
import type { Fill, Units } from '@jts/model'

type FillOwner = Pick<Fill, 'account' | 'strategy' | 'instrument'> & {
  readonly baseCurrency: string
  readonly quoteCurrency: string
}

export class FillLog {
  readonly #owners: FillOwner[] = []
  readonly #owner: number[] = []
  readonly #order: number[] = []
  readonly #isBuy: boolean[] = []
  readonly #isMaker: boolean[] = []
  readonly #timeUs: number[] = []
  readonly #quantity: Units[] = []
  readonly #price: Units[] = []
  readonly #fee: Units[] = []

  get count(): number {
    return this.#timeUs.length
  }

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
    this.#owner.push(owner)
    this.#order.push(order)
    this.#isBuy.push(fill.side === 'buy')
    this.#isMaker.push(fill.liquidity === 'maker')
    this.#timeUs.push(fill.timeUs)
    this.#quantity.push(fill.quantity)
    this.#price.push(fill.price)
    this.#fee.push(fill.fee)
  }

  toFills(): Fill[] {
    return this.#timeUs.map((timeUs, i) => {
      const { account, strategy, instrument, baseCurrency, quoteCurrency } = this.#owners[this.#owner[i]!]!
      const tradeId = String(i + 1)
      const isBuy = this.#isBuy[i]!
      return {
        fillId: tradeId,
        account,
        strategy,
        instrument,
        side: isBuy ? 'buy' : 'sell',
        quantity: this.#quantity[i]!,
        price: this.#price[i]!,
        fee: this.#fee[i]!,
        feeCurrency: isBuy ? baseCurrency : quoteCurrency,
        liquidity: this.#isMaker[i]! ? 'maker' : 'taker',
        timeUs,
        tradeId,
        orderId: `${strategy}-${this.#order[i]!}` as Fill['orderId'],
      }
    })
  }
}
