/** Requests that have been read and not yet answered, and user events that a fault holds back. */
export class Activity {
  onIdle: () => void = () => {}
  #open = 0

  get openRequests(): number {
    return this.#open
  }

  /** Returns what ends it; ending twice counts once. */
  begin(): () => void {
    let isOpen = true
    this.#open++
    return () => {
      if (!isOpen) return
      isOpen = false
      this.#open--
      if (this.#open === 0) this.onIdle()
    }
  }
}
