import type { ReactNode } from 'react'

export function Panel(props: { title: string; className?: string; aside?: ReactNode; children: ReactNode }): ReactNode {
  return (
    <section className={`panel ${props.className ?? ''}`} aria-label={props.title}>
      <header className="panel-head">
        <h2>{props.title}</h2>
        {props.aside}
      </header>
      {props.children}
    </section>
  )
}

/** A table that scrolls inside its panel, also by keyboard. */
export function ScrollTable(props: {
  label: string
  head: ReactNode
  children: ReactNode
  testId?: string
}): ReactNode {
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={props.label} data-testid={props.testId}>
      <table>
        <thead>
          <tr>{props.head}</tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </div>
  )
}
