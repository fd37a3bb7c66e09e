import type { ReactNode } from 'react'
import { kstDateTime } from '../format/times.ts'
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
        {services.map(({ name, state, reason, breaker, says = [], owns, sinceUs }) => {
          const said = says.flatMap(({ code }) => messages.brokerSays[code] ?? [])
          const held = owns === undefined ? undefined : owns.join(', ') || messages.serviceStandsBy
          const since = sinceUs === undefined ? undefined : `${messages.serviceSince} ${kstDateTime(sinceUs)}`
          return (
            <li key={name} className={state} title={[reason, held, since].filter(Boolean).join('\n') || undefined}>
              <i className="light" aria-hidden="true" />
              <span>{name}</span>
              {held !== undefined && held !== name && <em>{held}</em>}
              <small>{breaker === 'open' ? messages.breakerOpen : messages.service[state]}</small>
              {state !== 'up' && reason !== undefined && <p className="reason">{[...said, reason].join(' · ')}</p>}
            </li>
          )
        })}
      </ul>
    </Panel>
  )
}
