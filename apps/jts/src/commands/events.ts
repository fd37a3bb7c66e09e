/** `./jts events tail TOPIC`: the event log of a data folder as JSON lines, oldest first. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { eventToJson, isTopic, TOPIC_NAMES } from '@jts/contracts'
import { silentLogger } from '@jts/runtime'
import { EmbeddedBus, lockFolder, SqliteStore } from '@jts/transport'
import { EXIT, parseCommand, UserError } from '../cli.ts'

const SPEC = {
  name: 'events',
  usage: './jts events tail TOPIC [--limit N] [--data-dir DIR]',
  summary: `Shows events as JSON lines. Topics: ${TOPIC_NAMES.join(', ')}. The process of the folder must not be running.`,
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
  const file = join(folder, 'jts.sqlite')
  if (!existsSync(file)) throw new UserError(`expected the state of a run in ${folder}, found none`)
  const lock = lockFolder(folder)
  const fatal = (reason: string, cause: unknown): never => {
    throw new Error(reason, { cause })
  }
  const store = new SqliteStore({ file, log: silentLogger, fatal })
  const bus = new EmbeddedBus({ store, log: silentLogger, fatal })
  const limit = parsed.options.limit ?? 100
  const newest: string[] = []
  for await (const event of bus.read(topic)) {
    newest.push(JSON.stringify(eventToJson(event)))
    if (limit > 0 && newest.length > limit) newest.shift()
  }
  for (const line of newest) process.stdout.write(`${line}\n`)
  await store.close()
  lock.release()
  return EXIT.ok
}
