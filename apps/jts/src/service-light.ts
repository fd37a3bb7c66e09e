/** The light of one service, as the dashboard, `./jts status` and the health answer show it. */
import type { BrokerWord } from './brokers/broker-word.ts'

export type ServiceLight = {
  readonly name: string
  readonly state: 'up' | 'starting' | 'degraded' | 'down'
  readonly reason?: string
  /** Its circuit breaker, while it is not closed. */
  readonly breaker?: 'open'
  /** What a broker's service says of itself that a person should know. */
  readonly says?: BrokerWord['says']
  /** Between processes: the units that it owns, without the service's name before them, and since when it runs. */
  readonly owns?: readonly string[]
  readonly sinceUs?: number
}
