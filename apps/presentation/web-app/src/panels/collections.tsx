import type { ReactNode } from 'react'
import { groupDigits } from '../format/numbers.ts'
import { useMessages } from '../i18n/language-context.tsx'
import type { Messages } from '../i18n/messages.ts'
import { useLive } from '../live/live-context.tsx'
import type { CollectionView } from '../views.ts'
import { Time } from './cells.tsx'
import { Panel } from './panel.tsx'

/** Of a whole market many may fail for one reason: the rest is in the dead letters. */
const FAILURES_SHOWN = 3

/** Past candles that are being collected, how the last run of each venue ended, and when the calendar begins the next. */
export function Collections(): ReactNode {
  const messages = useMessages()
  const collections = useLive().status?.collections ?? []
  if (collections.length === 0) return null
  return (
    <Panel title={messages.collections} className="collections">
      <ul data-testid="collections">
        {collections.map((one) => (
          <Run key={one.venue} run={one} />
        ))}
      </ul>
    </Panel>
  )
}

function Run({ run }: { run: CollectionView }): ReactNode {
  const messages = useMessages()
  const { venue, timeframe, state, reason, total, done, endedUs } = run
  const isPartly = state === 'done' && run.failures.length > 0
  return (
    <li className={isPartly ? 'partly' : state}>
      <p>
        <b>
          {venue} {timeframe}
        </b>
        <small>
          {messages.collection[isPartly ? 'partly' : state]} {endedUs > 0 && <Time timeUs={endedUs} />}
        </small>
      </p>
      {state === 'running' && (
        <progress aria-label={`${venue} ${timeframe}`} {...(total > 0 ? { max: total, value: done } : {})} />
      )}
      {state !== 'scheduled' && <p className="muted">{wordsOf(run, messages).join(' · ')}</p>}
      {run.nextUs > 0 && <Next timeUs={run.nextUs} />}
      {reason !== '' && <p className="reason">{reason}</p>}
      <Failures failures={run.failures} />
    </li>
  )
}

function Next({ timeUs }: { timeUs: number }): ReactNode {
  const messages = useMessages()
  const { marketTimeUs } = useLive()
  return (
    <p className="muted">
      {timeUs > marketTimeUs ? (
        <>
          {messages.collectionNext} <Time timeUs={timeUs} /> KST
        </>
      ) : (
        messages.collectionNextNow
      )}
    </p>
  )
}

function Failures({ failures }: Pick<CollectionView, 'failures'>): ReactNode {
  const messages = useMessages()
  const more = failures.length - FAILURES_SHOWN
  return (
    <>
      {failures.slice(0, FAILURES_SHOWN).map(({ instrument, reason }) => (
        <p key={instrument} className="reason">
          <b>{instrument}</b> {reason}
        </p>
      ))}
      {more > 0 && <p className="reason">{messages.collectionFailuresMore(groupDigits(String(more)))}</p>}
    </>
  )
}

/** Whose run it is and how far; gaps and failures only where there are some. */
function wordsOf(run: CollectionView, messages: Messages): string[] {
  const { by, fromDay, toDay, total, done, candles, gaps, failures } = run
  const count = (value: number): string => groupDigits(String(value))
  const words: string[] = [messages.collectionBy[by]]
  if (fromDay !== '' || toDay !== '') words.push(messages.collectionDays(fromDay, toDay))
  if (total > 0)
    words.push(messages.collectedInstruments(count(done), count(total)), messages.collectedCandles(count(candles)))
  if (gaps > 0) words.push(messages.collectedGaps(count(gaps)))
  if (failures.length > 0) words.push(messages.collectedFailures(count(failures.length)))
  return words
}
