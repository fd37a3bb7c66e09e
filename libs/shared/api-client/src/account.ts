/** What the account has and had: fills, balances, positions. */
import {
  BrokerError,
  fromWireBalance,
  fromWireFill,
  fromWireFillRecord,
  fromWirePosition,
  type Balance,
  type FillPage,
  type FillReport,
  type PositionReport,
} from '@jts/broker-kit'
import type { InstrumentId } from '@jts/model'
import { queryOf } from './http.ts'
import { READ } from './readers.ts'
import { LONG_TIMEOUT_MS, type ServiceLink } from './service-link.ts'

const FILLS_MAX = 1000

export class Account {
  readonly #link: ServiceLink

  constructor(link: ServiceLink) {
    this.#link = link
  }

  async fills(query: { instrument: InstrumentId; afterTradeId?: string }): Promise<readonly FillReport[]> {
    const { instrument, afterTradeId } = query
    if (afterTradeId === undefined) return this.#allFills({ instrument })
    try {
      return await this.#allFills({ instrument, afterFillId: afterTradeId })
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code !== 'CURSOR_UNKNOWN') throw error
      const all = await this.#allFills({ instrument })
      const place = all.findIndex(({ tradeId }) => tradeId === afterTradeId)
      // The record has lost it, or the venue keeps no more of it: what it calls a trade id rises.
      return place >= 0 ? all.slice(place + 1) : all.filter(({ tradeId }) => isLater(tradeId, afterTradeId))
    }
  }

  async fillsAfter(query: { after?: string; limit?: number }): Promise<FillPage> {
    const path = `/fills${queryOf({ account: this.#link.account, ...query })}`
    const { data, cursor, more } = await this.#link.ask({ method: 'GET', path }, READ.fills)
    return { fills: data.map(fromWireFillRecord), cursor, more }
  }

  async balances(): Promise<readonly Balance[]> {
    return (
      await this.#link.ask({ method: 'GET', path: `/accounts/${this.#link.account}/balances` }, READ.balances)
    ).map(fromWireBalance)
  }

  async positions(): Promise<readonly PositionReport[]> {
    const path = `/accounts/${this.#link.account}/positions`
    return (await this.#link.ask({ method: 'GET', path }, READ.positions)).map(fromWirePosition)
  }

  async #allFills(query: { instrument: InstrumentId; afterFillId?: string }): Promise<readonly FillReport[]> {
    const found: FillReport[] = []
    let after: string | undefined
    for (;;) {
      const place = after === undefined ? query : { instrument: query.instrument, after }
      const path = `/fills${queryOf({ account: this.#link.account, ...place, limit: FILLS_MAX })}`
      const { data, cursor, more } = await this.#link.ask(
        { method: 'GET', path, timeoutMs: LONG_TIMEOUT_MS },
        READ.fills,
      )
      found.push(...data.map(fromWireFill))
      if (!more) return found
      after = cursor
    }
  }
}

function isLater(tradeId: string, than: string): boolean {
  const isNumber = /^[0-9]+$/
  return isNumber.test(tradeId) && isNumber.test(than) && BigInt(tradeId) > BigInt(than)
}
