import type { ReactNode } from 'react'
import { HaltControl } from '../header/halt-control.tsx'
import { useMessages } from '../i18n/language-context.tsx'
import { useLive } from '../live/live-context.tsx'
import { Price, Quantity, Side, Time } from './cells.tsx'
import { Panel } from './panel.tsx'

const TONE = { halted: 'bad', reducing: 'busy', unknown: 'doubt' } as const

export function Strategies(): ReactNode {
  const messages = useMessages()
  const { status } = useLive()
  const strategies = status?.strategies ?? []
  return (
    <Panel title={messages.strategies} className="strategies">
      {strategies.length === 0 && <p className="empty">{messages.empty.strategies}</p>}
      <ul>
        {strategies.map((strategy) => (
          <li key={strategy.instance} title={strategy.account}>
            <div className="named">
              <p>
                <b>{strategy.instance}</b> <span className="muted">{strategy.strategy}</span>
                {strategy.tradingState !== undefined && (
                  <span className={`chip ${TONE[strategy.tradingState]}`} title={strategy.tradingStateReason}>
                    {messages.tradingState[strategy.tradingState]}
                  </span>
                )}
                {strategy.state !== 'running' && (
                  <span className="chip different"> {messages.strategyState[strategy.state]}</span>
                )}
              </p>
              <HaltControl
                mode={status?.mode}
                tradingState={strategy.tradingState ?? 'active'}
                instance={strategy.instance}
                standsStill={strategy.state === 'stopped' || strategy.state === 'barred'}
              />
            </div>
            {strategy.tradingStateReason !== undefined && <p className="muted">{strategy.tradingStateReason}</p>}
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
