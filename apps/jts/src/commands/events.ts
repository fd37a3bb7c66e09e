/** `./jts events tail TOPIC`: the event log of a data folder as JSON lines, oldest first. */
import { resolve } from 'node:path'
import { eventToJson, isTopic, TOPIC_NAMES } from '@jts/contracts'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { openLog } from '../open-log.ts'

const SPEC = {
  name: 'events',
  usage: './jts events tail TOPIC [--limit N] [--data-dir DIR]',
  summary: `Shows events as JSON lines. Topics: ${TOPIC_NAMES.join(', ')}. From the archive and the log alike, also while JTS runs; a distributed run needs its Kafka.`,
  positionals: { min: 2, max: 2 },
  options: {
    'data-dir': { type: 'text', value: 'DIR', help: 'folder of the state (.jts/sim)' },
    limit: { type: 'number', value: 'N', help: 'how many of the newest (100; 0 = all)' },
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
  const folder = resolve(parsed.options['data-dir'] ?? '.jts/sim')
  const opened = await openLog(folder)
  const limit = parsed.options.limit ?? 100
  const newest: string[] = []
  for await (const event of opened.log.read(topic)) {
    newest.push(JSON.stringify(eventToJson(event)))
    if (limit > 0 && newest.length > limit) newest.shift()
  }
  for (const line of newest) process.stdout.write(`${line}\n`)
  await opened.close()
  return EXIT.ok
}
