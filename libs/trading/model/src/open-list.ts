/**
 * A short list of what is open now, in order of opening. It keeps its slots when it empties: an array that is emptied and
 * filled again for every order would allocate its storage every time.
 */
export class OpenList<T> {
  readonly #slots: (T | undefined)[] = []
  count = 0

  add(item: T): void {
    this.#slots[this.count++] = item
  }

  at(index: number): T {
    return this.#slots[index] as T
  }

  find(matches: (item: T) => boolean): T | undefined {
    for (let i = 0; i < this.count; i++) if (matches(this.#slots[i] as T)) return this.#slots[i]
    return undefined
  }

  removeAt(index: number): void {
    for (let i = index + 1; i < this.count; i++) this.#slots[i - 1] = this.#slots[i]
    this.#slots[--this.count] = undefined
  }

  clear(): void {
    while (this.count > 0) this.#slots[--this.count] = undefined
  }

  toArray(): T[] {
    return this.#slots.slice(0, this.count) as T[]
  }
}
