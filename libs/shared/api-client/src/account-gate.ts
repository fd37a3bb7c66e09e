/** The gate of the account as it is to stand here and at the service, and who owns the account. */
import type * as api from '@jts/contracts/broker-api'
import { BrokerError, type NotSent } from '@jts/broker-kit'
import { READ } from './readers.ts'
import { LONG_TIMEOUT_MS, type ServiceLink } from './service-link.ts'

const GATE_AGAIN_MS = 1000
/** What the owner of an account says of it. */
type LeaseWord = { readonly epoch: number; readonly tradingStateVersion?: number }
const GATE_REASON = 'by order execution'

export class AccountGate {
  readonly #link: ServiceLink
  /** Whether the service has been found: before, it is told at the start. */
  readonly #hasStarted: () => boolean
  #gate: 'open' | 'halted' = 'open'
  /** Of the trading state by which the gate stands as it does. */
  #gateVersion: number | undefined
  /** The gate as it was last asked for reaches the service, one request after the other; undefined when it has. */
  #gateOnItsWay: Promise<void> | undefined

  constructor(link: ServiceLink, hasStarted: () => boolean) {
    this.#link = link
    this.#hasStarted = hasStarted
  }

  /**
   * Closed here at once, and at the service as soon as it hears it. Opening is told to the service only after this client has
   * closed it: a gate that someone else closed is not ours to open.
   */
  set(state: 'open' | 'halted', tradingStateVersion?: number): void {
    const isNewer = (tradingStateVersion ?? 0) > (this.#gateVersion ?? 0)
    this.#gateVersion = tradingStateVersion
    if (state === this.#gate) {
      if (isNewer) void this.#untilVersionTold(tradingStateVersion!)
      return
    }
    this.#gate = state
    if (!this.#hasStarted() || this.#link.options.account === undefined) return
    const before = this.#gateOnItsWay ?? Promise.resolve()
    const onItsWay = before.then(() => this.#untilGateSet(state))
    this.#gateOnItsWay = onItsWay
    void onItsWay.finally(() => {
      if (this.#gateOnItsWay === onItsWay) this.#gateOnItsWay = undefined
    })
  }

  /** What a person has just resumed is not refused by a gate that has not heard it yet. */
  async untilOpen(): Promise<void> {
    if (this.#gate === 'open') await this.#gateOnItsWay
  }

  whyHalted(): NotSent | undefined {
    if (this.#gate === 'open') return undefined
    return { kind: 'not_sent', code: 'GATE_HALTED', message: 'the gate of the broker is halted' }
  }

  /** From now on the service refuses whoever owned the account before. @throws BrokerError STALE_LEASE */
  announceLease(epoch: number): Promise<api.AccountState> {
    return this.#sayLease({ epoch })
  }

  /**
   * What waits at the service and was decided under an older trading state is not sent any more: said for an owner that does not
   * answer. No gate is left closed by it that nobody would open: the next owner counts from its own versions. @throws BrokerError
   */
  async refuseOlder(tradingStateVersion: number): Promise<void> {
    const { account } = this.#link.options
    const found = (await this.#link.health()).accounts.find((one) => one.account === account)
    await this.#sayLease({ epoch: found?.leaseEpoch ?? 0, tradingStateVersion })
  }

  /**
   * Who owns the account, and how its gate is to stand, for a service that has not heard it or has forgotten it. A gate that was
   * closed from here under an older trading state is opened: a person has said so since, and this word of it was lost.
   */
  async announce(): Promise<void> {
    const { account, leaseEpoch } = this.#link.options
    const epoch = leaseEpoch?.()
    if (account === undefined) return
    const found =
      epoch === undefined
        ? (await this.#link.health()).accounts.find((one) => one.account === account)
        : await this.announceLease(epoch)
    const isLeftClosed =
      found?.gate === 'halted' &&
      found.gateReason === GATE_REASON &&
      found.tradingStateVersion < (this.#gateVersion ?? 0)
    if (this.#gate === 'halted' || isLeftClosed) await this.#putGate()
  }

  #sayLease(body: LeaseWord): Promise<api.AccountState> {
    return this.#link.ask({ method: 'PUT', path: `/accounts/${this.#link.account}/lease`, body }, READ.account)
  }

  /** Something was said that leaves the gate as it is: what waits there and was decided before it is refused from now on. */
  async #untilVersionTold(tradingStateVersion: number): Promise<void> {
    const { account, leaseEpoch, log, wallClock } = this.#link.options
    const epoch = leaseEpoch?.()
    if (!this.#hasStarted() || account === undefined || epoch === undefined) return
    while (!this.#link.isStopped && tradingStateVersion === this.#gateVersion) {
      try {
        await this.#sayLease({ epoch, tradingStateVersion })
        return
      } catch (error) {
        log.warn({ err: error, tradingStateVersion }, 'the broker service does not take the trading state')
        // Another owner knows better, and a service of an older contract never takes it.
        if (!(error instanceof BrokerError) || !error.retryable) return
        await new Promise<void>((resolve) => wallClock.after(GATE_AGAIN_MS, resolve))
      }
    }
  }

  async #untilGateSet(state: 'open' | 'halted'): Promise<void> {
    while (!this.#link.isStopped && state === this.#gate) {
      try {
        return await this.#putGate()
      } catch (error) {
        this.#link.options.log.warn(
          { err: error, gate: state },
          'the broker service does not take the gate; trying again',
        )
        await new Promise<void>((resolve) => this.#link.options.wallClock.after(GATE_AGAIN_MS, resolve))
      }
    }
  }

  async #putGate(): Promise<void> {
    const version = this.#gateVersion === undefined ? {} : { tradingStateVersion: this.#gateVersion }
    const body = { state: this.#gate, reason: GATE_REASON, ...version }
    await this.#link.ask(
      { method: 'PUT', path: `/accounts/${this.#link.account}/gate`, body, timeoutMs: LONG_TIMEOUT_MS },
      READ.account,
    )
  }
}
