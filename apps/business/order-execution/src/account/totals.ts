/** What an account holds, as an event says it: money, and what was bought, whether the broker calls it balances or positions. */
import type { BrokerPort } from '@jts/broker-kit'
import { formatUnits, instrumentSymbol, type Units } from '@jts/model'

export type Total = { readonly currency: string; readonly amount: string }
/** Where trades settle later: what the broker lets an order use, and what is there by now. */
export type CashWords = { readonly currency: string; readonly orderable: string; readonly settled: string }
export type Holdings = { readonly totals: readonly Total[]; readonly cash: readonly CashWords[] }

/** Every currency and share that the broker says is there, free or not. Shares go by the instrument's symbol. */
export async function holdingsOf(broker: BrokerPort): Promise<Holdings> {
  const balances = await broker.balances()
  const positions = broker.capabilities.positions === true ? ((await broker.positions?.()) ?? []) : []
  const held: [currency: string, units: Units][] = [
    ...balances.map(({ currency, free, locked }): [string, Units] => [currency, free + locked]),
    ...positions.map(({ instrument, quantity }): [string, Units] => [instrumentSymbol(instrument), quantity]),
  ]
  const totals = held
    .filter(([, units]) => units !== 0n)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([currency, units]) => ({ currency, amount: formatUnits(units) }))
  const cash = balances.flatMap(({ currency, free, settled }) =>
    settled === undefined ? [] : [{ currency, orderable: formatUnits(free), settled: formatUnits(settled) }],
  )
  return { totals, cash }
}
