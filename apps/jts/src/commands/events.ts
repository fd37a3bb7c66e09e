/** `./jts events tail TOPIC`: the event log of a data folder, its archive included, as JSON lines, oldest first. */
import { eventToJson, isTopic, TOPIC_NAMES, TOPICS, type BusEvent } from '@jts/contracts'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { merged } from '../merged.ts'
import { openLog, type OpenedLog } from '../open-log.ts'
import { STATE_FOLDER_HELP, stateFolder } from './state-folder.ts'

const SPEC = {
  name: 'events',
  usage: './jts events tail TOPIC [--limit N] [--from TIME|OFFSET] [--partition N] [--data-dir DIR]',
  summary: `Shows events as JSON lines. Topics: ${TOPIC_NAMES.join(', ')}. From the archive and the log alike, also while JTS runs; a distributed run needs its Kafka.`,
  positionals: { min: 2, max: 2 },
  options: {
    'data-dir': { type: 'text', value: 'DIR', help: STATE_FOLDER_HELP },
    limit: {
      type: 'number',
      value: 'N',
      help: 'how many: of the newest (100), or with --from of the first from there (all); 0 = all',
    },
    from: {
      type: 'text',
      value: 'FROM',
      help: 'from this market time on (2024-01-31 or 2024-01-31T09:00:00Z), or from this offset of each partition',
    },
    partition: { type: 'number', value: 'N', help: 'only this partition' },
    json: { type: 'flag', help: 'accepted for uniformity; the output is JSON lines always' },
  },
} as const

export async function eventsCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const [verb, topic] = parsed.positionals
  if (verb !== 'tail') throw new UserError(`expected events tail TOPIC, found events ${verb}`)
  if (!isTopic(topic!))
    throw new UserError(`expected a topic of ${TOPIC_NAMES.join(', ')}, found ${JSON.stringify(topic)}`)
  const { partition } = parsed.options
  const { partitions } = TOPICS[topic]
  if (partition !== undefined && !(Number.isInteger(partition) && partition >= 0 && partition < partitions)) {
    throw new UserError(`--partition: expected 0 to ${partitions - 1} of ${topic}, found ${partition}`)
  }
  const from = parsed.options.from === undefined ? undefined : fromOf(parsed.options.from)
  const limit = parsed.options.limit ?? (from === undefined ? 100 : 0)
  const wanted = partition === undefined ? Array.from({ length: partitions }, (_, i) => i) : [partition]
  const opened = await openLog(stateFolder(parsed.options['data-dir']))
  try {
    if (from === undefined && limit > 0) await newest(opened.log, topic, wanted, limit)
    else await oldest(opened.log, topic, wanted, from ?? {}, limit)
  } finally {
    await opened.close()
  }
  return EXIT.ok
}

type From = { readonly offset?: number; readonly timeUs?: number }

function fromOf(text: string): From {
  if (/^\d+$/.test(text)) return { offset: Number(text) }
  const timeMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(timeMs)) {
    throw new UserError(
      `--from: expected a time such as 2024-01-31T09:00:00Z or an offset, found ${JSON.stringify(text)}`,
    )
  }
  return { timeUs: timeMs * 1000 }
}

/** Only the end of each partition is read. */
async function newest(
  log: OpenedLog['log'],
  topic: (typeof TOPIC_NAMES)[number],
  partitions: readonly number[],
  limit: number,
): Promise<void> {
  const events: BusEvent[] = []
  for (const partition of partitions) {
    for await (const event of log.read(topic, { partition, last: limit })) events.push(event)
  }
  events.sort((a, b) => a.timeEventUs - b.timeEventUs)
  for (const event of events.slice(-limit)) print(event)
}

async function oldest(
  log: OpenedLog['log'],
  topic: (typeof TOPIC_NAMES)[number],
  partitions: readonly number[],
  from: From,
  limit: number,
): Promise<void> {
  const offset = from.offset === undefined ? {} : { from: from.offset }
  const parts = partitions.map((partition) => log.read(topic, { partition, ...offset }))
  let left = limit === 0 ? Infinity : limit
  for await (const event of merged(parts, (one) => one.timeEventUs)) {
    if (event.timeEventUs < (from.timeUs ?? 0)) continue
    print(event)
    if (--left <= 0) return
  }
}

function print(event: BusEvent): void {
  process.stdout.write(`${JSON.stringify(eventToJson(event))}\n`)
}
