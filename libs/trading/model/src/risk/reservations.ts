/** Money and units that are spoken for by approved signals that have not ended. */
import { ONE, divide, formatUnits, parseUnits, type Units } from '../numbers.ts'
import { OpenList } from '../open-list.ts'
import type { AccountId, InstrumentId, SignalId, StrategyInstanceId } from '../ids.ts'

export type ReservationPlain = {
  readonly signalId: string
  readonly account: string
  readonly strategy: string
  readonly instrument: string
  readonly currency: string
  readonly leaves: string
  readonly price: string
  readonly cash: string
  readonly quantity: string
}

export class Reservation {
  readonly signalId: SignalId
  readonly account: AccountId
  readonly strategy: StrategyInstanceId
  readonly instrument: InstrumentId
  /** Quote currency. */
  readonly currency: string
  /** Base quantity that has not been filled; 0 for an order sized in quote. */
  leaves: Units
  readonly price: Units
  cash: Units
  quantity: Units

  constructor(
    signalId: SignalId,
    account: AccountId,
    strategy: StrategyInstanceId,
    instrument: InstrumentId,
    currency: string,
    leaves: Units,
    price: Units,
    cash: Units,
    quantity: Units,
  ) {
    this.signalId = signalId
    this.account = account
    this.strategy = strategy
    this.instrument = instrument
    this.currency = currency
    this.leaves = leaves
    this.price = price
    this.cash = cash
    this.quantity = quantity
  }

  toPlain(): ReservationPlain {
    const { leaves, price, cash, quantity, ...ids } = this
    return {
      ...ids,
      leaves: formatUnits(leaves),
      price: formatUnits(price),
      cash: formatUnits(cash),
      quantity: formatUnits(quantity),
    }
  }
}

export class Reservations {
  readonly #open = new OpenList<Reservation>()

  get size(): number {
    return this.#open.count
  }

  add(reservation: Reservation): void {
    this.#open.add(reservation)
  }

  get(signalId: SignalId): Reservation | undefined {
    const at = this.#indexOf(signalId)
    return at === -1 ? undefined : this.#open.at(at)
  }

  /** Summed when asked, so that there are no totals to be kept equal to the list. */
  cashReserved(account: AccountId, currency: string): Units {
    let sum = 0n
    for (let i = 0; i < this.#open.count; i++) {
      const one = this.#open.at(i)
      if (one.account === account && one.currency === currency) sum += one.cash
    }
    return sum
  }

  /** What open buys of this instrument may still cost. */
  cashReservedIn(account: AccountId, instrument: InstrumentId): Units {
    let sum = 0n
    for (let i = 0; i < this.#open.count; i++) {
      const one = this.#open.at(i)
      if (one.account === account && one.instrument === instrument) sum += one.cash
    }
    return sum
  }

  quantityReserved(account: AccountId, strategy: StrategyInstanceId, instrument: InstrumentId): Units {
    let sum = 0n
    for (let i = 0; i < this.#open.count; i++) {
      const one = this.#open.at(i)
      if (one.account === account && one.strategy === strategy && one.instrument === instrument) sum += one.quantity
    }
    return sum
  }

  /** Frees the filled part; what is left stays reserved at the worst price. */
  fill(signalId: SignalId, quantity: Units, price: Units): void {
    const one = this.get(signalId)
    if (one === undefined) return
    if (one.leaves === 0n) {
      const spent = divide(quantity * price, ONE, 'down')
      one.cash = one.cash > spent ? one.cash - spent : 0n
      one.quantity = one.quantity > quantity ? one.quantity - quantity : 0n
      return
    }
    if (quantity >= one.leaves) {
      this.release(signalId)
      return
    }
    const leaves = one.leaves - quantity
    if (one.cash !== 0n) one.cash = divide(one.cash * leaves, one.leaves, 'up')
    if (one.quantity !== 0n) one.quantity = leaves
    one.leaves = leaves
  }

  release(signalId: SignalId): boolean {
    const at = this.#indexOf(signalId)
    if (at === -1) return false
    this.#open.removeAt(at)
    return true
  }

  #indexOf(signalId: SignalId): number {
    for (let i = 0; i < this.#open.count; i++) if (this.#open.at(i).signalId === signalId) return i
    return -1
  }

  toPlain(): ReservationPlain[] {
    return this.#open.toArray().map((one) => one.toPlain())
  }

  static fromPlain(plain: readonly ReservationPlain[]): Reservations {
    const reservations = new Reservations()
    for (const one of plain) {
      const { leaves, price, cash, quantity } = one
      reservations.add(
        new Reservation(
          one.signalId as SignalId,
          one.account as AccountId,
          one.strategy as StrategyInstanceId,
          one.instrument as InstrumentId,
          one.currency,
          parseUnits(leaves),
          parseUnits(price),
          parseUnits(cash),
          parseUnits(quantity),
        ),
      )
    }
    return reservations
  }
}
