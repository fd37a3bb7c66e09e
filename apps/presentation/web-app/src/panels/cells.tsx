import type { ReactNode } from 'react'
import { formatMoney, formatPrice, formatQuantity, formatSignedMoney, signOf } from '../format/numbers.ts'
import { kstDateTime, kstShort } from '../format/times.ts'
import { useMessages } from '../i18n/language-context.tsx'
import { useLive } from '../live/live-context.tsx'
import type { OrderView } from '../views.ts'

/** What is shown is rounded for reading; the exact value is a hover away. */
export function Pnl({ value, currency }: { value: string; currency: string }): ReactNode {
  const tone = { '-1': 'down', '0': '', '1': 'up' }[signOf(value)]
  return (
    <span className={tone} title={`${value} ${currency}`}>
      {formatSignedMoney(value, currency)}
    </span>
  )
}

export function Money({ value, currency }: { value: string; currency: string }): ReactNode {
  return <span title={`${value} ${currency}`}>{formatMoney(value, currency)}</span>
}

export function Price({ value }: { value: string | undefined }): ReactNode {
  return value === undefined ? <span className="muted">–</span> : <span title={value}>{formatPrice(value)}</span>
}

export function Quantity({ value }: { value: string }): ReactNode {
  return <>{formatQuantity(value)}</>
}

export function Side({ side }: { side: OrderView['side'] }): ReactNode {
  return <span className={`side ${side}`}>{useMessages().side[side]}</span>
}

export function Time({ timeUs }: { timeUs: number }): ReactNode {
  const { marketTimeUs } = useLive()
  return <time title={`${kstDateTime(timeUs)} KST`}>{kstShort(timeUs, marketTimeUs)}</time>
}
