/**
 * `./jts halt` and `./jts resume`. A halt goes through the running process; without one, or with one that hangs
 * (`does-answer.ts`), it is carried out from here (`halt-without.ts`).
 */
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { folderOf, isUsedBy, processOf, urlOf } from '../running.ts'
import { doesAnswer, isDeadOrStopped } from './does-answer.ts'
import { haltWithout, type HaltAnswer } from './halt-without.ts'

const OPTIONS = {
  reason: { type: 'text', value: 'TEXT', help: 'why, for the record' },
  url: { type: 'text', value: 'URL', help: "the dashboard's address (default: the process of --data-dir)" },
  strategy: {
    type: 'text',
    value: 'NAME',
    help: 'resume: start this strategy instance again, which is barred or stopped',
  },
  'data-dir': { type: 'text', value: 'DIR', help: 'folder of the process (.jts/live, .jts/paper or .jts/sim)' },
  json: { type: 'flag', help: 'one JSON object on standard output' },
} as const

const ANSWER_WITHIN_MS = 15_000

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
  const reason = options.reason ?? (name === 'halt' ? 'halted from the command line' : '')
  const folder = options.url === undefined ? folderOf(options['data-dir']) : undefined
  // One that is starting says later where it is.
  const url = (): string => options.url ?? urlOf(folder!)
  const isAnswering = await answers(url, folder)
  if (!isAnswering && (name === 'resume' || folder === undefined)) {
    throw new UserError(`expected JTS to answer at ${url()}, found that it does not`)
  }
  if (options.strategy !== undefined) return await startStrategy(name, url(), options.strategy, options.json)
  const answer = isAnswering ? await ask(url(), name, reason) : await haltWithout(folder!, reason)
  process.stdout.write(
    options.json
      ? `${JSON.stringify(answer)}\n`
      : `Trading is ${answer.tradingState}. Orders cancelled: ${answer.cancelled}, without an answer yet: ${answer.unknown}, open: ${answer.open}.${answer.message === '' ? '' : ` (${answer.message})`}\n`,
  )
  return EXIT.ok
}

/** Any answer counts: a process that serves can be halted in the ordinary way, also when the machine makes it slow. */
async function answers(url: () => string, folder: string | undefined): Promise<boolean> {
  const pid = folder === undefined ? null : processOf(folder).pid
  // It does not use the folder: whoever listens at its former address, or has its id now, is another.
  if (folder !== undefined && (pid === null || !isUsedBy(folder, pid))) return false
  return await doesAnswer({
    ask: async (signal) => {
      const response = await fetch(new URL('/health', url()), { signal })
      await response.arrayBuffer()
    },
    isGone: () => pid !== null && isDeadOrStopped(pid),
    onSilence: (misses) => process.stderr.write(`jts: no answer for ${misses} s; asking again\n`),
  })
}

async function startStrategy(name: string, url: string, instance: string, json: boolean | undefined): Promise<number> {
  if (name !== 'resume') throw new UserError('--strategy: expected with resume, which starts it, found with halt')
  const path = `strategies/${encodeURIComponent(instance)}/start`
  const { state } = await ask<{ state: string }>(url, path, '')
  process.stdout.write(json ? `${JSON.stringify({ instance, state })}\n` : `${instance} is ${state}.\n`)
  return EXIT.ok
}

async function ask<T = HaltAnswer>(url: string, name: string, reason: string): Promise<T> {
  const response = await fetch(new URL(`/api/v1/${name}`, url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(reason === '' ? {} : { reason }),
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  })
  const body = (await response.json()) as { data?: T; detail?: string; title?: string }
  if (!response.ok || body.data === undefined) {
    throw new UserError(`${name} was refused: ${body.detail ?? body.title ?? response.status}`)
  }
  return body.data
}
