import type { ReactNode } from 'react'
import { ChartPanel } from './chart/chart-panel.tsx'
import { kstDateTime } from './format/times.ts'
import { Header } from './header/header.tsx'
import { useMessages } from './i18n/language-context.tsx'
import { useFirstSnapshot, useLive } from './live/live-context.tsx'
import { Accounts } from './panels/accounts.tsx'
import { Activity } from './panels/activity.tsx'
import { Collections } from './panels/collections.tsx'
import { Decisions } from './panels/decisions.tsx'
import { Positions } from './panels/positions.tsx'
import { Services } from './panels/services.tsx'
import { Strategies } from './panels/strategies.tsx'

export function App(): ReactNode {
  const messages = useMessages()
  const { status, connection } = useLive()
  const { error, retry } = useFirstSnapshot()
  return (
    <>
      <a className="skip" href="#screen">
        {messages.skipToContent}
      </a>
      <Header />
      <StaleBanner />
      {status === undefined ? (
        <Waiting error={error} retry={retry} />
      ) : (
        <main id="screen" className={`screen ${connection}`}>
          <div className="main-column">
            <ChartPanel />
            <Positions />
            <Activity />
          </div>
          <div className="side-column">
            <Accounts />
            <Decisions />
            <Strategies />
            <Services />
            <Collections />
          </div>
        </main>
      )}
      <Footer />
    </>
  )
}

function StaleBanner(): ReactNode {
  const messages = useMessages()
  const { connection, heardAtMs, status } = useLive()
  if (connection !== 'lost' || status === undefined) return null
  const text = heardAtMs === undefined ? messages.notConnected : messages.stale(kstDateTime(heardAtMs * 1000))
  return (
    <p className="banner" role="alert" data-testid="stale">
      {text}
    </p>
  )
}

function Waiting({ error, retry }: { error: Error | null; retry: () => void }): ReactNode {
  const messages = useMessages()
  return (
    <main id="screen" className="waiting">
      {error === null ? (
        <p role="status">{messages.loading}</p>
      ) : (
        <div role="alert">
          <h2>{messages.loadFailed}</h2>
          <p>{messages.loadFailedHint}</p>
          <p className="muted">{error.message}</p>
          <button type="button" className="button plain" onClick={retry}>
            {messages.retry}
          </button>
        </div>
      )}
    </main>
  )
}

function Footer(): ReactNode {
  const messages = useMessages()
  const { status } = useLive()
  return (
    <footer className="foot">
      {status && (
        <span>
          JTS {messages.version} {status.version}
        </span>
      )}
      {status?.fillModel !== undefined && (
        <span>
          {messages.fillModel} {messages.fillModels[status.fillModel] ?? status.fillModel}
        </span>
      )}
      <span className="spacer" />
      <a href="https://www.tradingview.com/" target="_blank" rel="noreferrer">
        {messages.chartCredit}
      </a>
    </footer>
  )
}
