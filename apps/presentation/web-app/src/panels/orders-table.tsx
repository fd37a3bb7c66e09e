import type { ReactNode } from 'react'
import { useMessages } from '../i18n/language-context.tsx'
import type { Messages } from '../i18n/messages.ts'
import { useLive } from '../live/live-context.tsx'
import type { OrderView } from '../views.ts'
import { Price, Quantity, Side, Time } from './cells.tsx'
import { ScrollTable } from './panel.tsx'

const TONES: Readonly<Partial<Record<OrderView['status'], string>>> = {
  filled: 'good',
  partially_filled: 'good',
  denied: 'bad',
  rejected: 'bad',
  unknown: 'doubt',
  submitting: 'busy',
  pending_cancel: 'busy',
  accepted: 'open',
}

export function OrdersTable(): ReactNode {
  const messages = useMessages()
  const { orders } = useLive()
  const { column } = messages
  if (orders.length === 0) return <p className="empty">{messages.empty.orders}</p>
  const head = (
    <>
      <th>{column.time}</th>
      <th>{column.instrument}</th>
      <th>{column.side}</th>
      <th className="wide">{column.type}</th>
      <th>{column.status}</th>
      <th className="number">{column.quantity}</th>
      <th className="number wide">{column.filled}</th>
      <th className="number">{column.price}</th>
      <th className="number">{column.average}</th>
      <th className="wide">{column.strategy}</th>
      <th className="grow">{column.reason}</th>
    </>
  )
  return (
    <ScrollTable label={messages.orders} head={head} testId="orders">
      {orders.map((order) => (
        <OrderRow key={order.orderId} order={order} />
      ))}
    </ScrollTable>
  )
}

function OrderRow({ order }: { order: OrderView }): ReactNode {
  const messages = useMessages()
  const reason = reasonIn(messages, order.reason ?? '')
  return (
    <tr title={[order.orderId, order.clientOrderId, order.venueOrderId].filter(Boolean).join(' · ')}>
      <td className="muted">
        <Time timeUs={order.timeUs} />
      </td>
      <th scope="row">{order.instrument}</th>
      <td>
        <Side side={order.side} />
      </td>
      <td className="wide muted">{messages.orderType[order.type]}</td>
      <td>
        <span className={`chip ${TONES[order.status] ?? ''}`}>
          {messages.orderStatus[order.status] ?? order.status}
        </span>
      </td>
      <td className="number">
        <Quantity value={order.quantity} />
      </td>
      <td className="number wide">
        <Quantity value={order.filledQuantity} />
      </td>
      <td className="number">
        <Price value={order.limitPrice} />
      </td>
      <td className="number">
        <Price value={order.averageFillPrice} />
      </td>
      <td className="wide muted">{order.strategy}</td>
      <td className="grow muted" title={reason}>
        {reason}
      </td>
    </tr>
  )
}

/** In the reader's language where the reason has a code, and always as it was said. */
function reasonIn(messages: Messages, reason: string): string {
  const code = /^[A-Z][A-Z_]+(?=: )/.exec(reason)?.[0] ?? ''
  const words = messages.reason[code]
  return words === undefined ? reason : `${words} · ${reason}`
}
