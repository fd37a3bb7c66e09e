import type { ReactNode } from 'react'
import { useMessages } from '../i18n/language-context.tsx'
import { useLive } from '../live/live-context.tsx'
import { Panel } from './panel.tsx'

export function Services(): ReactNode {
  const messages = useMessages()
  const services = useLive().status?.services ?? []
  return (
    <Panel title={messages.services} className="services">
      {services.length === 0 && <p className="empty">{messages.empty.services}</p>}
      <ul>
        {services.map(({ name, state, reason, breaker }) => (
          <li key={name} className={state} title={reason}>
            <i className="light" aria-hidden="true" />
            <span>{name}</span>
            <small>{breaker === 'open' ? messages.breakerOpen : messages.service[state]}</small>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
