import { useEffect, useState, type ReactNode } from 'react'
import { kstDate, kstTime } from '../format/times.ts'
import { useMessages } from '../i18n/language-context.tsx'
import { useLive } from '../live/live-context.tsx'

/** On paper and live, market time is never behind the wall clock; a replay's time is the market's alone. */
export function MarketClock(): ReactNode {
  const messages = useMessages()
  const { status, marketTimeUs, connection } = useLive()
  const ticks = status !== undefined && status.mode !== 'sim' && connection === 'live'
  const wallUs = useWallClock(ticks)
  const timeUs = ticks ? Math.max(marketTimeUs, wallUs) : marketTimeUs
  if (timeUs === 0) return null
  return (
    <p className="clock">
      <span className="muted">{messages.marketTime}</span>
      <time dateTime={new Date(timeUs / 1000).toISOString()}>
        <span className="date">{kstDate(timeUs)}</span> <b>{kstTime(timeUs)}</b> <small>KST</small>
      </time>
    </p>
  )
}

function useWallClock(runs: boolean): number {
  const [nowUs, setNowUs] = useState(0)
  useEffect(() => {
    if (!runs) return
    const read = (): void => setNowUs(Date.now() * 1000)
    read()
    const timer = setInterval(read, 1000)
    return () => clearInterval(timer)
  }, [runs])
  return nowUs
}
