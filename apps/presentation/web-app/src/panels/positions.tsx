import type { ReactNode } from 'react'
import { useMessages } from '../i18n/language-context.tsx'
import { useLive } from '../live/live-context.tsx'
import { Money, Pnl, Price, Quantity } from './cells.tsx'
import { Panel, ScrollTable } from './panel.tsx'

export function Positions(): ReactNode {
  const { positions: title, empty, column } = useMessages()
  const { portfolio, status } = useLive()
  const rows = (portfolio?.accounts ?? []).flatMap(({ account, equityCurrency, positions }) =>
    positions.map((position) => ({ ...position, account, equityCurrency })),
  )
  const currencyOf = (instrument: string, fallback: string): string =>
    status?.instruments.find(({ id }) => id === instrument)?.quoteCurrency ?? fallback
  const head = (
    <>
      <th>{column.instrument}</th>
      <th className="wide">{column.strategy}</th>
      <th className="number">{column.quantity}</th>
      <th className="number">{column.averagePrice}</th>
      <th className="number">{column.mark}</th>
      <th className="number wide">{column.cost}</th>
      <th className="number">{column.unrealised}</th>
      <th className="number wide">{column.realised}</th>
    </>
  )
  return (
    <Panel title={title} className="positions" aside={<span className="count">{rows.length}</span>}>
      {rows.length === 0 ? (
        <p className="empty">{empty.positions}</p>
      ) : (
        <ScrollTable label={title} head={head} testId="positions">
          {rows.map((row) => {
            const currency = currencyOf(row.instrument, row.equityCurrency)
            return (
              <tr key={`${row.account} ${row.strategy} ${row.instrument}`}>
                <th scope="row" title={row.account}>
                  {row.instrument}
                </th>
                <td className="wide muted">{row.strategy}</td>
                <td className="number">
                  <Quantity value={row.quantity} />
                </td>
                <td className="number">
                  <Price value={row.averagePrice} />
                </td>
                <td className="number">
                  <Price value={row.markPrice} />
                </td>
                <td className="number wide">
                  <Money value={row.totalCost} currency={currency} />
                </td>
                <td className="number">
                  <Pnl value={row.unrealisedPnl} currency={currency} />
                </td>
                <td className="number wide">
                  <Pnl value={row.realisedPnl} currency={currency} />
                </td>
              </tr>
            )
          })}
        </ScrollTable>
      )}
    </Panel>
  )
}
