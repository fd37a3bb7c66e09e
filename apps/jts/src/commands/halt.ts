/** `./jts halt` and `./jts resume`: stop new orders now, and lift it; through the running process's gateway. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { EXIT, parseCommand, UserError } from '../cli.ts'

const OPTIONS = {
  reason: { type: 'text', value: 'TEXT', help: 'why, for the record' },
  url: { type: 'text', value: 'URL', help: "the dashboard's address (default: the process of --data-dir)" },
  'data-dir': { type: 'text', value: 'DIR', help: 'folder of the running process (.jts/sim, .jts/paper or .jts/live)' },
  json: { type: 'flag', help: 'one JSON object on standard output' },
} as const

type Answer = { tradingState: string; cancelled: number; unknown: number; open: number; message: string }

export async function haltCommand(name: 'halt' | 'resume', argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(
    {
      name,
      usage: `./jts ${name} [--reason TEXT]`,
      summary:
        name === 'halt'
          ? 'Refuses new orders, waits for sends in flight, cancels what is open. Survives restarts; only ./jts resume lifts it.'
          : 'Lifts a halt.',
      options: OPTIONS,
    },
    argv,
  )
  if (parsed === undefined) return EXIT.ok
  const { options } = parsed
  const url = options.url ?? urlOf(options['data-dir'])
  const response = await fetch(new URL(`/api/v1/${name}`, url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(options.reason === undefined ? {} : { reason: options.reason }),
    signal: AbortSignal.timeout(15_000),
  }).catch((cause: unknown) => {
    throw new UserError(`expected JTS to answer at ${url}, found: ${(cause as Error).message}`, { cause })
  })
  const body = (await response.json()) as { data?: Answer; detail?: string; title?: string }
  if (!response.ok || body.data === undefined) {
    throw new UserError(`${name} was refused: ${body.detail ?? body.title ?? response.status}`)
  }
  const { tradingState, cancelled, unknown, open } = body.data
  process.stdout.write(
    options.json
      ? `${JSON.stringify(body.data)}\n`
      : `Trading is ${tradingState}. Orders cancelled: ${cancelled}, without an answer yet: ${unknown}, open: ${open}.\n`,
  )
  return EXIT.ok
}

function urlOf(dataDir: string | undefined): string {
  const folders = dataDir === undefined ? ['.jts/live', '.jts/paper', '.jts/sim'] : [dataDir]
  for (const folder of folders) {
    const file = join(resolve(folder), 'process.json')
    if (!existsSync(file)) continue
    const { pid, url } = JSON.parse(readFileSync(file, 'utf8')) as { pid: number; url: string }
    if (isAlive(pid)) return url
  }
  throw new UserError(`expected a running JTS in ${folders.join(', ')}, found none; name it with --data-dir or --url`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
