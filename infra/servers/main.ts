/** Servers by hand: `node infra/servers/main.ts start [--dir DIR] [kafka redis postgres]`, until SIGINT or SIGTERM. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { installKafka, startKafka, startPostgres, startRedis, type Server } from './index.ts'

const USAGE = `usage: node infra/servers/main.ts start [--dir DIR] [kafka redis postgres]
       node infra/servers/main.ts install

start    starts the named servers (all three when none is named), prints one line of JSON with their addresses and
         keeps them until it is interrupted; --dir keeps their data, ports and passwords, each in a folder of its name
install  fetches Kafka's jars
`

type Address = Readonly<Record<string, unknown>>
type Start = (options: { dir?: string }) => Promise<{ server: Server; address: Address }>

const STARTS: Readonly<Record<string, Start>> = {
  kafka: async (options) => {
    const server = await startKafka(options)
    return { server, address: { brokers: server.brokers } }
  },
  redis: async (options) => {
    const server = await startRedis(options)
    return { server, address: { url: server.url } }
  },
  postgres: async (options) => {
    const server = await startPostgres(options)
    return { server, address: { url: server.url } }
  },
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments()
  const [command, ...names] = positionals
  if (command === 'install') return await installKafka(say)
  if (command !== 'start' || names.some((name) => STARTS[name] === undefined)) return refuse()
  await start(names.length > 0 ? [...new Set(names)] : Object.keys(STARTS), values.dir)
}

async function start(names: readonly string[], dir: string | undefined): Promise<void> {
  const interrupted = new Promise<{ code: number; why: string }>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(name, () => resolve({ code: 0, why: `got ${name}` }))
    }
  })
  const results = await Promise.allSettled(
    names.map(async (name) => ({ name, ...(await STARTS[name]!(dir ? { dir: join(dir, name) } : {})) })),
  )
  const started = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = results.flatMap((result) => (result.status === 'rejected' ? [messageOf(result.reason)] : []))
  try {
    if (failed.length > 0) {
      failed.forEach(say)
      process.exitCode = 1
      return
    }
    const lines = started.map(({ name, server, address }) => [
      name,
      { ...address, pid: server.pid, logFile: server.logFile },
    ])
    process.stdout.write(`${JSON.stringify(Object.fromEntries(lines))}\n`)
    const lost = started.map(async ({ name, server }) => ({
      code: 1,
      why: `${name} ${await server.ended}; see ${server.logFile}`,
    }))
    const { code, why } = await Promise.race([interrupted, ...lost])
    say(`stopping: ${why}`)
    process.exitCode = code
  } finally {
    await Promise.all(started.map(({ server }) => server.stop()))
  }
}

function readArguments() {
  try {
    return parseArgs({ allowPositionals: true, options: { dir: { type: 'string' } } })
  } catch (error) {
    say(messageOf(error))
    return { values: {}, positionals: [] }
  }
}

function refuse(): void {
  process.stderr.write(USAGE)
  process.exitCode = 64
}

function say(words: string): void {
  process.stderr.write(`${words}\n`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

await main().catch((error: unknown) => {
  say(messageOf(error))
  process.exitCode = 1
})
