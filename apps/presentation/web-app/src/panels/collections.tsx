import type { ReactNode } from 'react'
import { kstDateTime } from '../format/times.ts'
import { useMessages } from '../i18n/language-context.tsx'
import { useLive } from '../live/live-context.tsx'
import type { CollectionView } from '../views.ts'
import { Panel } from './panel.tsx'

/** Past candles that are being collected, and how the last run of each venue ended; nothing where none was ever begun. */
export function Collections(): ReactNode {
  const messages = useMessages()
  const collections = useLive().status?.collections ?? []
  if (collections.length === 0) return null
  return (
    <Panel title={messages.collections} className="collections">
      <ul>
        {collections.map((one) => (
          <Run key={one.venue} run={one} />
        ))}
      </ul>
    </Panel>
  )
}

function Run({ run }: { run: CollectionView }): ReactNode {
  const messages = useMessages()
  const { venue, timeframe, state, reason, total, done, candles, gaps, failures, endedUs } = run
  const failed = failures.map((one) => `${one.instrument}: ${one.reason}`).join('\n')
  const word = state === 'done' && failures.length > 0 ? 'failed' : state
  return (
    <li className={word} title={[reason, failed].filter(Boolean).join('\n') || undefined}>
      <span>
        {venue} {timeframe}
      </span>
      <small>
        {messages.collection[state]}
        {endedUs > 0 && ` ${kstDateTime(endedUs)}`}
      </small>
      {state === 'running' && (
        <progress aria-label={`${venue} ${timeframe}`} value={done} {...(total > 0 ? { max: total } : {})} />
      )}
      <em>{messages.collected(done, total, candles, gaps, failures.length)}</em>
      {reason !== '' && <em>{reason}</em>}
    </li>
  )
}
