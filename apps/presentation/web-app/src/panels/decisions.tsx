import type { ReactNode } from 'react'
import { formatQuantity } from '../format/numbers.ts'
import { useMessages } from '../i18n/language-context.tsx'
import { useLive } from '../live/live-context.tsx'
import type { DecisionView } from '../views.ts'
import { Price, Side, Time } from './cells.tsx'
import { Panel } from './panel.tsx'

export function Decisions(): ReactNode {
  const messages = useMessages()
  const { decisions } = useLive()
  return (
    <Panel title={messages.decisions} className="decisions">
      {decisions.length === 0 ? (
        <p className="empty">{messages.empty.decisions}</p>
      ) : (
        <div className="scroll" tabIndex={0} role="region" aria-label={messages.decisions} data-testid="decisions">
          <ol>
            {decisions.map((decision) => (
              <Decision key={decision.signalId} decision={decision} />
            ))}
          </ol>
        </div>
      )}
    </Panel>
  )
}

const TONES = { waiting: 'open', approved: 'good', denied: 'bad' } as const

function Decision({ decision }: { decision: DecisionView }): ReactNode {
  const messages = useMessages()
  const { approved, quantity, adjustedQuantity, reason, reasonCode, notBeforeUs } = decision
  const isCut = approved && adjustedQuantity !== quantity
  const state = notBeforeUs !== undefined ? 'waiting' : approved ? 'approved' : 'denied'
  return (
    <li className={state}>
      <p>
        <span className={`chip ${TONES[state]}`}>{messages[state]}</span>
        <Side side={decision.side} /> <b>{decision.instrument}</b>
        <Time timeUs={decision.timeUs} />
      </p>
      <p className="muted">
        <span>
          {formatQuantity(quantity)} @ <Price value={decision.price} />
          {isCut && <em> {messages.adjustedTo(formatQuantity(adjustedQuantity))}</em>}
        </span>
        {notBeforeUs === undefined && <Score score={decision.riskScore} />}
      </p>
      {notBeforeUs !== undefined && (
        <p className="reason">
          {messages.ordersTakenFrom} <Time timeUs={notBeforeUs} />
        </p>
      )}
      {(reason ?? reasonCode) !== undefined && (
        <p className="reason">
          {reasonCode !== undefined && <code>{reasonCode}</code>} {messages.reason[reasonCode ?? '']} {reason}
        </p>
      )}
    </li>
  )
}

/** The used share of the tightest limit. */
function Score({ score }: { score: number }): ReactNode {
  const { riskScore } = useMessages()
  const percent = Math.round(Math.min(Math.max(score, 0), 1) * 100)
  const tone = percent >= 90 ? 'high' : percent >= 60 ? 'middle' : 'low'
  return (
    <span className="score" title={`${riskScore} ${percent}%`}>
      <meter className={tone} min={0} max={100} value={percent} aria-label={riskScore} />
      <span>{percent}%</span>
    </span>
  )
}
