/**
 * Faults on request: each one is a wrong or missing answer that a client must survive. They count what is durable (order
 * numbers, fills), so a restart neither forgets nor repeats one. Order faults count per account, fill faults over all.
 */
import { parseUnits, type Units } from '@jts/model/numbers'

/** `event`: how each fault's value is read. */
const FAULTS = {
  'balance-fee': 'rate',
  'phantom-fill': 'count',
  'drop-user-event': 'count-or-every',
  'duplicate-user-event': 'count',
  'delay-user-events': 'count',
  'timeout-after-accept': 'count',
  'timeout-before-accept': 'count',
  'hang-after-accept': 'count',
  'drop-connection-after-accept': 'count',
  'reply-after-event': 'flag',
  'disconnect-streams-every': 'count',
} as const

export type FaultName = keyof typeof FAULTS
export type AcceptFault = 'timeout' | 'hang' | 'drop-connection'

export class Faults {
  readonly texts: readonly string[]
  readonly balanceFee: Units | undefined
  readonly #values = new Map<FaultName, string>()

  /** `texts` as typed: `NAME` or `NAME=VALUE`. @throws Error that names the known faults. */
  constructor(texts: readonly string[] = []) {
    this.texts = texts
    for (const text of texts) this.#add(text)
    const fee = this.#values.get('balance-fee')
    this.balanceFee = fee === undefined ? undefined : parseUnits(fee)
  }

  #add(text: string): void {
    const cut = text.indexOf('=')
    const name = (cut < 0 ? text : text.slice(0, cut)) as FaultName
    const value = cut < 0 ? '' : text.slice(cut + 1)
    const shape = FAULTS[name]
    if (!shape) throw new Error(`expected a fault of ${Object.keys(FAULTS).join(', ')}, found ${JSON.stringify(name)}`)
    const isCount = /^[1-9]\d{0,8}$/.test(value)
    const isValid =
      shape === 'flag'
        ? value === ''
        : shape === 'rate'
          ? /^0(\.\d{1,8})?$/.test(value)
          : isCount || (shape === 'count-or-every' && value === 'every')
    if (!isValid) throw new Error(`fault ${name}: expected a ${shape}, found ${JSON.stringify(value)}`)
    this.#values.set(name, value)
  }

  #count(name: FaultName): number {
    return Number(this.#values.get(name) ?? 0)
  }

  isPhantomAfter(fillNumber: number): boolean {
    return this.#count('phantom-fill') === fillNumber
  }

  /** How often the user stream carries the report of this fill. */
  reportsOf(fillNumber: number): 0 | 1 | 2 {
    const drop = this.#values.get('drop-user-event')
    if (drop === 'every' || Number(drop) === fillNumber) return 0
    return this.#count('duplicate-user-event') === fillNumber ? 2 : 1
  }

  /** The number of the order that is to be lost before it is accepted, or 0. */
  get timeoutBeforeAccept(): number {
    return this.#count('timeout-before-accept')
  }

  afterAccept(orderNumber: number): AcceptFault | undefined {
    if (this.#count('timeout-after-accept') === orderNumber) return 'timeout'
    if (this.#count('hang-after-accept') === orderNumber) return 'hang'
    if (this.#count('drop-connection-after-accept') === orderNumber) return 'drop-connection'
    return undefined
  }

  get userEventDelayMs(): number {
    return this.#count('delay-user-events')
  }

  get isReplyAfterEvent(): boolean {
    return this.#values.has('reply-after-event')
  }

  /** 0: never. */
  get disconnectEvery(): number {
    return this.#count('disconnect-streams-every')
  }
}
