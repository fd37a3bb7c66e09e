/** Every topic once: its key, partitions, durability and how long it is kept. A topic name is written here and imported. */

export type Durability =
  /** On disk before anything that it caused leaves the process. */
  | 'durable'
  /** Not waited for: a loss is filled back from the source. */
  | 'relaxed'
  /** Nowhere synced: what the power cut takes with it is gone, and readers go on over the hole. */
  | 'lossy'

export type RetentionClass = '1 day' | '7 days' | '30 days' | 'compacted' | 'until archived' | 'for ever'

export type TopicSpec = {
  /** A constant: a new count is a new topic. */
  readonly partitions: number
  readonly durability: Durability
  /** How long it stays in the log, and what becomes of it then: see `RETENTION`. */
  readonly kept: RetentionClass
  readonly key: 'instrument' | 'account' | 'strategy instance' | 'account:instrument' | 'service' | 'source'
  /** What happens to an event that cannot be read: only market data and notifications have dead letters. */
  readonly poison: 'stop' | 'dead-letter' | 'log'
}

const candles: TopicSpec = {
  partitions: 16,
  durability: 'relaxed',
  kept: '7 days',
  key: 'instrument',
  poison: 'dead-letter',
}
const ticks: TopicSpec = { ...candles, durability: 'lossy', kept: '1 day' }
/** Keyed as their source; what cannot be read there either is only logged. */
const deadLetters: TopicSpec = {
  partitions: 1,
  durability: 'durable',
  kept: '30 days',
  key: 'source',
  poison: 'log',
}

export const TOPICS = {
  'market-data.binance.candles': candles,
  'market-data.binance.trades': ticks,
  'market-data.krx.candles': candles,
  'market-data.krx.trades': ticks,
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
  'dead-letter.market-data.binance.candles': deadLetters,
  'dead-letter.market-data.binance.trades': deadLetters,
  'dead-letter.market-data.krx.candles': deadLetters,
  'dead-letter.market-data.krx.trades': deadLetters,
  'dead-letter.risk.alerts': deadLetters,
  'dead-letter.system.health': deadLetters,
  'system.health': { partitions: 1, durability: 'durable', kept: 'compacted', key: 'service', poison: 'dead-letter' },
} as const satisfies Record<string, TopicSpec>

export type Topic = keyof typeof TOPICS

const DAY_US = 86_400_000_000
const HOUR_US = DAY_US / 24

/**
 * What a class means, in both modes. `logUs`: the age, in market time, from which an event may leave the log. Then market data
 * is deleted (its source has it; `archive` may be asked for in the configuration), the newest event of each key of a compacted
 * topic stays, and everything else is moved to the archive, where it is kept for ever and read like the log.
 */
export const RETENTION: Readonly<
  Record<RetentionClass, { readonly logUs: number; readonly then: 'delete' | 'archive' | 'compact' }>
> = {
  '1 day': { logUs: DAY_US, then: 'delete' },
  '7 days': { logUs: 7 * DAY_US, then: 'delete' },
  '30 days': { logUs: 30 * DAY_US, then: 'archive' },
  'until archived': { logUs: 7 * DAY_US, then: 'archive' },
  'for ever': { logUs: 30 * DAY_US, then: 'archive' },
  compacted: { logUs: HOUR_US, then: 'compact' },
}

/** Events of a compacted topic go when a newer one of their key is there: its sequences rise, with holes. */
export function isCompacted(topic: Topic): boolean {
  return RETENTION[TOPICS[topic].kept].then === 'compact'
}

/** Whether a sequence may be missing in a stream and its readers go on; elsewhere they stop at a hole. */
export function mayHaveHoles(topic: Topic): boolean {
  return isCompacted(topic) || TOPICS[topic].durability === 'lossy'
}

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

/** Where an event of this topic goes that nobody could take, or that could not be had. @throws Error for one without */
export function deadLetterTopic(topic: Topic): Topic {
  const name = `dead-letter.${topic}`
  if (!isTopic(name)) throw new Error(`expected a topic with dead letters, found ${JSON.stringify(topic)}`)
  return name
}
