import { useState, type ReactNode } from 'react'
import { useMessages } from '../i18n/language-context.tsx'
import { useLive } from '../live/live-context.tsx'
import { CandleChart } from './candle-chart.tsx'

export function ChartPanel(): ReactNode {
  const messages = useMessages()
  const instruments = useLive().status?.instruments ?? []
  const [chosen, setChosen] = useState('')
  const nameOf = ({ id, timeframe }: { id: string; timeframe: string }): string => `${id} ${timeframe}`
  const instrument = instruments.find((known) => nameOf(known) === chosen) ?? instruments[0]
  return (
    <section className="panel chart-panel" aria-label={messages.chart}>
      <header className="panel-head">
        {instruments.length > 1 ? (
          <div className="tabs" role="group" aria-label={messages.instrument}>
            {instruments.map((known) => (
              <button
                key={nameOf(known)}
                type="button"
                aria-pressed={known === instrument}
                onClick={() => setChosen(nameOf(known))}
              >
                {known.id} <small>{known.timeframe}</small>
              </button>
            ))}
          </div>
        ) : (
          <h2>
            {instrument?.id ?? messages.chart} <small>{instrument?.timeframe}</small>
          </h2>
        )}
        <span className="muted">{instrument?.quoteCurrency}</span>
      </header>
      {instrument ? <CandleChart instrument={instrument} /> : <p className="empty">{messages.empty.candles}</p>}
    </section>
  )
}
