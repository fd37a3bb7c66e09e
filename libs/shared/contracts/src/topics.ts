/** Every topic once: its key, partitions, durability and how long it is kept. A topic name is written here and imported. */

export type Durability =
  /** On disk before anything that it caused leaves the process. */
  | 'durable'
  /** Not synced: a loss is filled back from the source. */
  | 'relaxed'

export type TopicSpec = {
  /** A constant: a new count is a new topic. */
  readonly partitions: number
  readonly durability: Durability
  /** Recorded from the start; nothing is deleted before there is an archive. */
  readonly kept: '1 day' | '7 days' | '30 days' | 'compacted' | 'until archived' | 'for ever'
  readonly key: 'instrument' | 'account' | 'strategy instance' | 'account:instrument' | 'service'
  /** What happens to an event that cannot be read: only market data and notifications have dead letters. */
  readonly poison: 'stop' | 'dead-letter'
}

const candles: TopicSpec = {
  partitions: 16,
  durability: 'relaxed',
  kept: '7 days',
  key: 'instrument',
  poison: 'dead-letter',
}
const ticks: TopicSpec = { ...candles, kept: '1 day' }

export const TOPICS = {
  'market-data.binance.candles': candles,
  'market-data.binance.trades': ticks,
  'strategy.signals': {
    partitions: 8,
    durability: 'durable',
    kept: '30 days',
    key: 'strategy instance',
    poison: 'stop',
  },
  'orders.signals': { partitions: 8, durability: 'durable', kept: '30 days', key: 'account', poison: 'stop' },
  'orders.events': { partitions: 8, durability: 'durable', kept: 'until archived', key: 'account', poison: 'stop' },
  'orders.fills': { partitions: 8, durability: 'durable', kept: 'for ever', key: 'account', poison: 'stop' },
  'portfolio.positions': {
    partitions: 8,
    durability: 'durable',
    kept: 'compacted',
    key: 'account:instrument',
    poison: 'stop',
  },
  'risk.alerts': { partitions: 4, durability: 'durable', kept: '30 days', key: 'account', poison: 'dead-letter' },
  'system.health': { partitions: 1, durability: 'durable', kept: 'compacted', key: 'service', poison: 'dead-letter' },
} as const satisfies Record<string, TopicSpec>

export type Topic = keyof typeof TOPICS
export const TOPIC_NAMES = Object.keys(TOPICS) as readonly Topic[]

export function isTopic(name: string): name is Topic {
  return Object.hasOwn(TOPICS, name)
}

/** The candles topic of an instrument's venue. */
export function candlesTopic(venue: string): Topic {
  return marketTopic(venue, 'candles')
}

/** The topic of public trades of an instrument's venue. */
export function tradesTopic(venue: string): Topic {
  return marketTopic(venue, 'trades')
}

function marketTopic(venue: string, kind: 'candles' | 'trades'): Topic {
  const name = `market-data.${venue.toLowerCase()}.${kind}`
  if (!isTopic(name)) throw new Error(`expected a venue with a ${kind} topic, found ${JSON.stringify(venue)}`)
  return name
}
