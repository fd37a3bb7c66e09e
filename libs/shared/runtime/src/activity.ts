/**
 * Idle is a protocol, not a guess (lock-step replay): every participant of a process says when it is busy, and every
 * connection counts the messages read on it. The conductor waits for both, without polling.
 */
export type ReceivedCounters = Record<string, number>

type Waiter = { ready: () => boolean; resolve: () => void }

export class Activity {
  #busy = new Map<string, number>()
  #total = 0
  #begun = 0
  #received = new Map<string, number>()
  #waiters: Waiter[] = []
  #absent = new Set<string>()

  /** A participant that must be present before the process can be called idle (a stream that is connecting, a recovery). */
  absent(participant: string): void {
    this.#absent.add(participant)
  }

  present(participant: string): void {
    if (this.#absent.delete(participant)) this.#check()
  }

  /** Begins a piece of work: an open request, a message being handled, a scheduled retry. */
  enter(participant: string): void {
    this.#busy.set(participant, (this.#busy.get(participant) ?? 0) + 1)
    this.#total++
    this.#begun++
  }

  /** How often work has begun: equal at two looks, nothing happened between them. */
  get begun(): number {
    return this.#begun
  }

  leave(participant: string): void {
    const left = (this.#busy.get(participant) ?? 0) - 1
    if (left < 0) throw new Error(`activity of ${participant} ended more often than it began`)
    if (left === 0) this.#busy.delete(participant)
    else this.#busy.set(participant, left)
    this.#total--
    if (this.#total === 0) this.#check()
  }

  /** Runs an asynchronous piece of work as activity. */
  async during<T>(participant: string, work: () => Promise<T>): Promise<T> {
    this.enter(participant)
    try {
      return await work()
    } finally {
      this.leave(participant)
    }
  }

  /** Counts one text frame read on the connection with this local TCP port; call it after the frame has been handled. */
  countReceived(port: string): void {
    this.#received.set(port, (this.#received.get(port) ?? 0) + 1)
    this.#check()
  }

  openConnection(port: string): void {
    this.#received.set(port, 0)
  }

  closeConnection(port: string): void {
    this.#received.delete(port)
    this.#check()
  }

  received(): ReceivedCounters {
    return Object.fromEntries(this.#received)
  }

  isIdle(): boolean {
    return this.#total === 0 && this.#absent.size === 0
  }

  /** Participants that are not there yet. */
  absentees(): readonly string[] {
    return [...this.#absent]
  }

  /** What is keeping the process from being idle, for a person who asks why a replay does not move. */
  describe(): string {
    const busy = [...this.#busy].map(([name, count]) => `${name} (${count})`)
    const absent = [...this.#absent].map((name) => `${name} (not ready)`)
    return [...busy, ...absent].join(', ') || 'idle'
  }

  /** Resolves when the process is idle and has read what the venue says it has sent. */
  whenIdle(sent: Readonly<Record<string, number>> = {}): Promise<void> {
    const ready = (): boolean =>
      this.isIdle() && Object.entries(sent).every(([port, count]) => (this.#received.get(port) ?? count) >= count)
    if (ready()) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push({ ready, resolve }))
  }

  #check(): void {
    if (this.#waiters.length === 0) return
    const still: Waiter[] = []
    for (const waiter of this.#waiters) {
      if (waiter.ready()) waiter.resolve()
      else still.push(waiter)
    }
    this.#waiters = still
  }
}
