import type { ReactNode } from 'react'
import { useMessages } from '../i18n/language-context.tsx'
import { useLive } from '../live/live-context.tsx'
import { HaltControl } from './halt-control.tsx'
import { LanguageSwitch } from './language-switch.tsx'
import { MarketClock } from './market-clock.tsx'

/** What ends by itself; of anything else that holds an account it is a person who says that it is over. */
const PASSING: ReadonlySet<string> = new Set(['HEARTBEAT_MISSING', 'NOT_ANSWERING'])

export function Header(): ReactNode {
  const messages = useMessages()
  const { status, connection } = useLive()
  return (
    <header className={`top mode-${status?.mode} ${status?.tradingState ?? ''} ${connection === 'lost' ? 'lost' : ''}`}>
      <h1 className="brand">
        JTS <span>{messages.product}</span>
      </h1>
      {status && (
        <p className={`mode-badge ${status.mode}`} aria-label={messages.modeLabel} data-testid="mode">
          <strong>{messages.mode[status.mode].name}</strong>
          <span>{messages.mode[status.mode].meaning}</span>
        </p>
      )}
      {status && (
        <p
          className={`state-badge ${status.tradingState}`}
          role="status"
          aria-label={messages.tradingStateLabel}
          title={status.tradingStateReason}
          data-testid="trading-state"
        >
          {messages.tradingState[status.tradingState]}
          {status.tradingStateReason !== undefined && <small>{status.tradingStateReason}</small>}
        </p>
      )}
      {status?.accountStates.map(({ account, instrument, state, code, reason }) => (
        <p
          key={`${account} ${instrument}`}
          className={`state-badge ${state}`}
          role="status"
          title={reason}
          data-testid="account-state"
        >
          {instrument === '' ? account : `${account} ${instrument}`}: {messages.tradingState[state]}
          <small>{messages.holdReason[code] ?? reason}</small>
        </p>
      ))}
      <div className="spacer" />
      <MarketClock />
      <p
        className={`connection ${connection}`}
        role="status"
        aria-label={messages.connectionLabel}
        data-testid="connection"
      >
        <i className="light" aria-hidden="true" />
        {messages.connection[connection]}
      </p>
      <LanguageSwitch />
      {/* Offered also while nothing is known: a halt may get through where a question does not. */}
      <HaltControl
        mode={status?.mode}
        tradingState={status?.tradingState ?? 'active'}
        standsStill={status?.accountStates.some(({ code }) => !PASSING.has(code)) ?? false}
      />
    </header>
  )
}
