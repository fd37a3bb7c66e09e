/** After a start or a break of the stream: settles what was never answered, then asks for the open orders and the fills. */
import type { Turn } from '@jts/transport'
import type { AccountState } from './account-state.ts'
import type { FillSearch } from './fill-search.ts'
import type { OrderInquiry } from './order-inquiry.ts'
import { queryOrder } from './order-query.ts'
import { holdingsOf } from './totals.ts'

const RETRY_MS = 500

export class CatchingUp {
  readonly #state: AccountState
  readonly #inquiry: OrderInquiry
  readonly #fillSearch: FillSearch
  readonly #sendNext: (turn: Turn) => void
  #streamUp = false
  #run = 0

  constructor(state: AccountState, inquiry: OrderInquiry, fillSearch: FillSearch, sendNext: (turn: Turn) => void) {
    this.#state = state
    this.#inquiry = inquiry
    this.#fillSearch = fillSearch
    this.#sendNext = sendNext
  }

  onOrderStream(stream: 'up' | 'down', reason: string): void {
    const { account, options } = this.#state
    this.#streamUp = stream === 'up'
    if (this.#streamUp) return this.catchUp()
    // A catch-up under way may have asked before the stream fell: only the next one counts.
    this.#run++
    this.#state.notReady()
    options.log.warn({ account, reason }, 'the order stream is down')
  }

  catchUp(): void {
    const state = this.#state
    if (!this.#streamUp || state.stopped) return
    const run = ++this.#run
    const { activity, log, store, wallClock } = state.options
    state.background(async () => {
      try {
        await this.#askForEverything()
      } catch (error) {
        if (run !== this.#run || state.stopped) return
        log.warn({ account: state.account, err: error }, 'catching up with the broker failed; trying again')
        wallClock.after(RETRY_MS, () => this.catchUp())
        return
      }
      // A newer catch-up has begun, or the stream fell meanwhile and will bring the next one.
      if (run !== this.#run || state.stopped) return
      state.ready = true
      store.transact((turn) => this.#sendNext(turn))
      activity.present(state.activityName)
    })
  }

  async #askForEverything(): Promise<void> {
    const state = this.#state
    if (!state.opened) await this.#openBooks()
    await this.#openNewInstruments()
    for (const record of state.orders.open) {
      // Whose request is on its way is settled by its answer.
      if (record.isUnsettled && record !== state.sending) await this.#inquiry.settle(record)
    }
    for (const record of state.orders.open) {
      if (record.isUnsettled || record.isClosed || record.life.status === 'approved') continue
      const outcome = await queryOrder(state, record)
      if (outcome.kind === 'failed') throw new Error(outcome.message)
      await this.#inquiry.adopt(record, outcome)
    }
    await this.#inquiry.openAtVenue()
    await this.#fillSearch.everywhere()
  }

  /** Configured since the first contact: what was traded in it until now is in the balances already. */
  async #openNewInstruments(): Promise<void> {
    const { cursor, options } = this.#state
    for (const instrument of options.instruments) {
      if (cursor.isOpened(instrument)) continue
      const trades = await options.broker.fills({ instrument })
      options.store.transact((turn) => {
        cursor.open(instrument, trades)
        this.#state.keep(turn)
      })
    }
  }

  /** First contact: what the account holds now is booked as its opening balance, and older trades are not ours. */
  async #openBooks(): Promise<void> {
    const state = this.#state
    const { account, cursor } = state
    const { broker, instruments, marketClock, store } = state.options
    const { heard } = state.adjustments
    const readUs = marketClock.nowUs()
    for (const instrument of instruments) cursor.open(instrument, await broker.fills({ instrument }))
    const { totals: balances } = await holdingsOf(broker)
    for (const instrument of instruments) {
      const since = await broker.fills({ instrument, ...cursor.query(instrument) })
      if (since.length > 0) throw new Error(`the account traded while its opening balance was read`)
    }
    // A second catch-up may have asked at the same time.
    if (state.opened) return
    if (heard !== state.adjustments.heard) throw new Error(`money moved while the account's opening balance was read`)
    store.transact((turn) => {
      state.opened = true
      state.adjustments.openedUs = readUs
      state.keep(turn)
      turn.publish('orders.events', {
        type: 'OpeningBalance',
        stream: account,
        account,
        correlationId: `opening/${account}`,
        causationId: '',
        timeEventUs: marketClock.nowUs(),
        payload: { balances: [...balances] },
      })
    })
  }
}
