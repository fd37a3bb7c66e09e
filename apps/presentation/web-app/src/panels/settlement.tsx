import type { ReactNode } from 'react'
import { useMessages } from '../i18n/language-context.tsx'
import type { SettlementView } from '../views.ts'
import { Money, Time } from './cells.tsx'

/** Cash by the day on which it changes hands, and what the broker lets an order use. */
export function Settlement({ settlement }: { settlement: SettlementView }): ReactNode {
  const { settlement: words } = useMessages()
  const { currency, date, settled, days, undated, orderable } = settlement
  return (
    <table className="settlement" data-testid="settlement" aria-label={words.title}>
      <caption>{words.title}</caption>
      <thead>
        <tr>
          <th scope="col">{words.day}</th>
          <th scope="col">{words.receivable}</th>
          <th scope="col">{words.payable}</th>
        </tr>
      </thead>
      <tbody>
        <tr className="settled">
          <th scope="row">
            {words.settled} <small>{date.slice(5)}</small>
          </th>
          <td colSpan={2}>
            <Money value={settled} currency={currency} /> <small>{currency}</small>
          </td>
        </tr>
        {days.map((day) => (
          <tr key={day.date}>
            <th scope="row">{day.date.slice(5)}</th>
            <td>{amount(day.receivable, currency)}</td>
            <td>{amount(day.payable, currency)}</td>
          </tr>
        ))}
        {undated !== undefined && (
          <tr>
            <th scope="row">{words.undated}</th>
            <td colSpan={2}>
              <Money value={undated} currency={currency} />
            </td>
          </tr>
        )}
        {orderable !== undefined && (
          <tr className="orderable">
            <th scope="row">
              {words.orderable}{' '}
              <small>
                <Time timeUs={orderable.timeUs} />
              </small>
            </th>
            <td colSpan={2}>
              <Money value={orderable.amount} currency={currency} /> <small>{currency}</small>
            </td>
          </tr>
        )}
      </tbody>
    </table>
  )
}

function amount(value: string, currency: string): ReactNode {
  return value === '0' ? <span className="muted">–</span> : <Money value={value} currency={currency} />
}
