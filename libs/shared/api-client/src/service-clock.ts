/** The venue's clock less ours, as a broker service tells it. */
export class ServiceClock {
  #offsetUs = 0
  /** How long the question took that told it. */
  #roundTripUs = Infinity

  get offsetUs(): number {
    return this.#offsetUs
  }

  /**
   * Asked and answered at these times by our clock. The answer is of some moment between: one that took longer than the best
   * changes the offset only where it contradicts it.
   */
  told(venueTimeUs: number, askedUs: number, answeredUs: number): void {
    const roundTripUs = answeredUs - askedUs
    const offsetUs = Math.round(venueTimeUs - (askedUs + roundTripUs / 2))
    const isContradicted = Math.abs(offsetUs - this.#offsetUs) > roundTripUs / 2
    if (roundTripUs > this.#roundTripUs && !isContradicted) return
    this.#offsetUs = offsetUs
    this.#roundTripUs = roundTripUs
  }
}
