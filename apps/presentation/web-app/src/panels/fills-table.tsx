import type { ReactNode } from 'react'
import { useMessages } from '../i18n/language-context.tsx'
import { useLive } from '../live/live-context.tsx'
import { Money, Price, Quantity, Side, Time } from './cells.tsx'
import { ScrollTable } from './panel.tsx'

export function FillsTable(): ReactNode {
  const messages = useMessages()
  const { fills } = useLive()
  const { column } = messages
  if (fills.length === 0) return <p className="empty">{messages.empty.fills}</p>
  const head = (
    <>
      <th>{column.time}</th>
      <th>{column.instrument}</th>
      <th>{column.side}</th>
      <th className="number">{column.quantity}</th>
      <th className="number">{column.price}</th>
      <th className="number">{column.fee}</th>
      <th className="grow">{column.strategy}</th>
    </>
  )
  return (
    <ScrollTable label={messages.fills} head={head} testId="fills">
      {fills.map((fill) => (
        <tr key={fill.fillId} title={`${fill.fillId} · ${fill.orderId}`}>
          <td className="muted">
            <Time timeUs={fill.timeUs} />
          </td>
          <th scope="row">{fill.instrument}</th>
          <td>
            <Side side={fill.side} />
          </td>
          <td className="number">
            <Quantity value={fill.quantity} />
          </td>
          <td className="number">
            <Price value={fill.price} />
          </td>
          <td className="number">
            <Money value={fill.fee} currency={fill.feeCurrency} /> <small>{fill.feeCurrency}</small>
          </td>
          <td className="grow muted">{fill.strategy}</td>
        </tr>
      ))}
    </ScrollTable>
  )
}
