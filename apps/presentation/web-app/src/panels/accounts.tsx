import type { ReactNode } from 'react'
import { useMessages } from '../i18n/language-context.tsx'
import { useLive } from '../live/live-context.tsx'
import type { AccountView } from '../views.ts'
import { Money, Pnl } from './cells.tsx'
import { Panel } from './panel.tsx'
import { Settlement } from './settlement.tsx'

export function Accounts(): ReactNode {
  const messages = useMessages()
  const accounts = useLive().portfolio?.accounts ?? []
  return (
    <Panel title={messages.accounts} className="accounts">
      {accounts.length === 0 && <p className="empty">{messages.empty.accounts}</p>}
      {accounts.map((account) => (
        <AccountCard key={account.account} account={account} />
      ))}
    </Panel>
  )
}

function AccountCard({ account }: { account: AccountView }): ReactNode {
  const messages = useMessages()
  const { equityCurrency: currency } = account
  return (
    <article className="account" aria-label={account.account}>
      <header>
        <h3>{account.account}</h3>
        <span className={`chip ${account.reconciled}`}>{messages.reconciled[account.reconciled]}</span>
      </header>
      <p className="equity">
        <span>{messages.equity}</span>
        <b>
          <Money value={account.equity} currency={currency} /> <small>{currency}</small>
        </b>
      </p>
      <dl className="figures">
        <Figure name={messages.unrealised}>
          <Pnl value={account.unrealisedPnl} currency={currency} />
        </Figure>
        <Figure name={messages.realised}>
          <Pnl value={account.realisedPnl} currency={currency} />
        </Figure>
        <Amounts name={messages.cash} amounts={account.cash} />
        <Amounts name={messages.fees} amounts={account.fees} />
        {Object.keys(account.adjusted).length > 0 && <Amounts name={messages.adjusted} amounts={account.adjusted} />}
      </dl>
      {account.reconciled === 'different' && (
        <ul className="differences">
          {account.differences.map((one) => (
            <li key={one.currency}>{messages.difference(one)}</li>
          ))}
        </ul>
      )}
      {account.settlement !== undefined && <Settlement settlement={account.settlement} />}
    </article>
  )
}

function Figure({ name, children }: { name: string; children: ReactNode }): ReactNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function Amounts({ name, amounts }: { name: string; amounts: Readonly<Record<string, string>> }): ReactNode {
  return (
    <Figure name={name}>
      {Object.entries(amounts).map(([currency, value]) => (
        <span key={currency} className="amount">
          <Money value={value} currency={currency} /> <small>{currency}</small>
        </span>
      ))}
      {Object.keys(amounts).length === 0 && '–'}
    </Figure>
  )
}
