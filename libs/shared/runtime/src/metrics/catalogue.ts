/**
 * Every metric of JTS once: its kind, meaning and labels. Names and units are Prometheus's own conventions
 * (https://prometheus.io/docs/practices/naming/): base units, `_seconds`, `_ratio`, `_total`. The figures of the process
 * (`process_…`, `nodejs_…`: memory, CPU, event-loop lag) come from prom-client beside these.
 */
export type MetricSpec = {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[]
}

/** From a tenth of a millisecond, which a direct call takes, to ten seconds, which no order should. */
const LATENCY_S = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const

export const METRICS = {
  jts_build_info: {
    kind: 'gauge',
    help: 'Always 1; the version of JTS and of Node.js that the process runs.',
    labels: ['version', 'node'],
  },
  jts_order_latency_seconds: {
    kind: 'histogram',
    help: 'Time of one hop of an order: tick_to_signal, signal_to_approval, approval_to_intent, intent_to_wire, wire_to_ack, ack_to_booked.',
    labels: ['hop', 'broker'],
    buckets: LATENCY_S,
  },
  jts_order_events_total: {
    kind: 'counter',
    help: 'Events in the lives of orders (OrderSubmitting, OrderFilled, OrderUnknown, …) that this process has said.',
    labels: ['account', 'type'],
  },
  jts_bus_events_published_total: {
    kind: 'counter',
    help: 'Events appended to a topic by this process.',
    labels: ['topic'],
  },
  jts_bus_events_handled_total: {
    kind: 'counter',
    help: 'Events of a topic that a consumer group has handled.',
    labels: ['group', 'topic'],
  },
  jts_bus_lag_events: {
    kind: 'gauge',
    help: 'Events of a partition that a consumer group has not handled yet. A partition is shown once it has lagged.',
    labels: ['group', 'topic', 'partition', 'unit'],
  },
  jts_outbox_depth_events: {
    kind: 'gauge',
    help: 'Events on disk that wait for Kafka to take them.',
    labels: ['unit'],
  },
  jts_store_commit_duration_seconds: {
    kind: 'histogram',
    help: 'Time of one commit, its sync included.',
    labels: [],
    buckets: LATENCY_S,
  },
  jts_risk_checks_total: {
    kind: 'counter',
    help: 'Risk checks by result (approved, denied) and reason code (empty when approved).',
    labels: ['result', 'reason'],
  },
  jts_risk_limit_headroom_ratio: {
    kind: 'gauge',
    help: "Unused share of a limit, 1 to 0. limit=tightest is the tightest one at the account's last risk check.",
    labels: ['account', 'limit'],
  },
  jts_trading_state: {
    kind: 'gauge',
    help: '1 for the state that an account is in (active, reducing, halted), 0 for the others.',
    labels: ['account', 'state'],
  },
  jts_broker_rate_budget_headroom_ratio: {
    kind: 'gauge',
    help: "Unused share of one of the broker's rate windows (weight/60s, orders/10s, trade/15s, …), requests under way counted as used.",
    labels: ['account', 'window'],
  },
  jts_reconciliation_differences: {
    kind: 'gauge',
    help: "Currencies in which the ledger differed from the broker at the account's last comparison.",
    labels: ['account'],
  },
  jts_breaker_state: {
    kind: 'gauge',
    help: '1 for the state that a circuit breaker is in (closed, half-open, open), 0 for the others.',
    labels: ['breaker', 'state'],
  },
  jts_service_up: {
    kind: 'gauge',
    help: "1 while a service's process has said that it is ready (distributed mode, told by the supervisor).",
    labels: ['process'],
  },
  jts_service_starts: {
    kind: 'gauge',
    help: "How often a service's process has been started in this run; a rise is a crash (told by the supervisor).",
    labels: ['process'],
  },
  jts_stream_up: {
    kind: 'gauge',
    help: "1 while a stream stands and what was missed has been caught up with: an account's orders, the market of a venue.",
    labels: ['stream'],
  },
} as const satisfies Record<string, MetricSpec>

export type MetricName = keyof typeof METRICS
export type MetricNameOf<K extends MetricSpec['kind']> = {
  [N in MetricName]: (typeof METRICS)[N]['kind'] extends K ? N : never
}[MetricName]
export type LabelsOf<N extends MetricName> = Readonly<Record<(typeof METRICS)[N]['labels'][number], string>>
