import { useId, useState, type ReactNode } from 'react'
import { useMessages } from '../i18n/language-context.tsx'
import { FillsTable } from './fills-table.tsx'
import { OrdersTable } from './orders-table.tsx'

/** Orders and fills share one place on the screen. */
export function Activity(): ReactNode {
  const messages = useMessages()
  const [shown, setShown] = useState<'orders' | 'fills'>('orders')
  const id = useId()
  return (
    <section className="panel activity" aria-labelledby={id}>
      <header className="panel-head">
        <div className="tabs" role="group" id={id} aria-label={`${messages.orders}, ${messages.fills}`}>
          {(['orders', 'fills'] as const).map((name) => (
            <button key={name} type="button" aria-pressed={name === shown} onClick={() => setShown(name)}>
              {messages[name]}
            </button>
          ))}
        </div>
      </header>
      {shown === 'orders' ? <OrdersTable /> : <FillsTable />}
    </section>
  )
}
