import type { ReactNode } from 'react'
import { useMessages } from '../i18n/language-context.tsx'
import { useLive } from '../live/live-context.tsx'
import { Price, Quantity, Side, Time } from './cells.tsx'
import { Panel } from './panel.tsx'

export function Strategies(): ReactNode {
  const messages = useMessages()
  const strategies = useLive().status?.strategies ?? []
  return (
    <Panel title={messages.strategies} className="strategies">
      {strategies.length === 0 && <p className="empty">{messages.empty.strategies}</p>}
      <ul>
        {strategies.map((strategy) => (
          <li key={strategy.instance} title={strategy.account}>
            <p>
              <b>{strategy.instance}</b> <span className="muted">{strategy.strategy}</span>
              {strategy.state !== 'running' && (
                <span className="chip different"> {messages.strategyState[strategy.state]}</span>
              )}
            </p>
            <p className="muted">
              {strategy.instrument} · {strategy.timeframe}
              {Object.entries(strategy.parameters).map(([name, value]) => (
                <span key={name}>
                  {' · '}
                  {name} {typeof value === 'object' ? JSON.stringify(value) : String(value)}
                </span>
              ))}
            </p>
            {strategy.waiting?.map((one) => (
              <p key={one.signalId} className="muted">
                <span className="chip open">{messages.waiting}</span> <Side side={one.side} />{' '}
                <Quantity value={one.quantity} />
                {one.limitPrice !== undefined && (
                  <>
                    {' @ '}
                    <Price value={one.limitPrice} />
                  </>
                )}{' '}
                {messages.ordersTakenFrom} <Time timeUs={one.notBeforeUs} />
              </p>
            ))}
          </li>
        ))}
      </ul>
    </Panel>
  )
}
