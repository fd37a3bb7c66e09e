/** The REST side of the gateway. */
import type { CandleView, FillView, HaltState, HaltView, SnapshotView } from '../views.ts'

const ROWS = 100
const CANDLES = 1000

export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(`/api/v1${path}`, init)
  const body: unknown = await response.json().catch(() => undefined)
  if (response.ok) return (body as { data: T }).data
  const problem = body as { code?: string; title?: string; detail?: string } | undefined
  throw new ApiError(problem?.code ?? `HTTP_${response.status}`, problem?.detail ?? response.statusText)
}

function command<T>(path: string, body: object): Promise<T> {
  return ask(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
}

function strategyPath(instance: string | undefined): string {
  return instance === undefined ? '' : `/strategies/${encodeURIComponent(instance)}`
}

export const api = {
  async snapshot(signal: AbortSignal): Promise<SnapshotView> {
    const [status, portfolio, orders, fills, decisions] = await Promise.all([
      ask<SnapshotView['status']>('/status', { signal }),
      ask<SnapshotView['portfolio']>('/portfolio', { signal }),
      ask<SnapshotView['orders']>(`/orders?limit=${ROWS}`, { signal }),
      ask<SnapshotView['fills']>(`/fills?limit=${ROWS}`, { signal }),
      ask<SnapshotView['decisions']>(`/risk-decisions?limit=${ROWS}`, { signal }),
    ])
    return { status, portfolio, orders, fills, decisions }
  },
  candles(instrument: string, timeframe: string, signal: AbortSignal): Promise<CandleView[]> {
    const query = new URLSearchParams({ instrument, timeframe, limit: String(CANDLES) })
    return ask(`/candles?${query}`, { signal })
  },
  fills(instrument: string, signal: AbortSignal): Promise<FillView[]> {
    return ask(`/fills?${new URLSearchParams({ instrument, limit: '1000' })}`, { signal })
  },
  /** Everything or, by its instance, one strategy. */
  halt: (state: HaltState, reason: string, instance?: string): Promise<HaltView> =>
    command(`${strategyPath(instance)}/halt`, reason === '' ? { state } : { state, reason }),
  resume: (instance?: string): Promise<HaltView> => command(`${strategyPath(instance)}/resume`, {}),
}

export function openStream(): WebSocket {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:'
  return new WebSocket(`${scheme}//${location.host}/api/v1/stream`)
}
