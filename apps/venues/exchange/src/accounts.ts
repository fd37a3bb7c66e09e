/** Balances of one account: free and locked, per asset. They never go below zero: that would be our own mistake. */
import type { Units } from '@jts/model/numbers'
import type { Balance } from './orders.ts'

type Amounts = { free: Units; locked: Units }

export class Account {
  readonly index: number
  /** Assets changed since the last commit. */
  readonly changed = new Set<string>()
  readonly #amounts = new Map<string, Amounts>()

  constructor(index: number, balances: Iterable<Balance>) {
    this.index = index
    for (const { asset, free, locked } of balances) this.#amounts.set(asset, { free, locked })
  }

  free(asset: string): Units {
    return this.#amounts.get(asset)?.free ?? 0n
  }

  balance(asset: string): Balance {
    const amounts = this.#amounts.get(asset)
    return { asset, free: amounts?.free ?? 0n, locked: amounts?.locked ?? 0n }
  }

  assets(): string[] {
    return [...this.#amounts.keys()].sort()
  }

  /** Adds to (or, below zero, takes from) the free and the locked part. */
  move(asset: string, free: Units, locked: Units): void {
    let amounts = this.#amounts.get(asset)
    if (!amounts) this.#amounts.set(asset, (amounts = { free: 0n, locked: 0n }))
    amounts.free += free
    amounts.locked += locked
    this.changed.add(asset)
    if (amounts.free < 0n || amounts.locked < 0n) {
      throw new Error(`balance of ${asset} below zero: free ${amounts.free}, locked ${amounts.locked}`)
    }
  }
}
