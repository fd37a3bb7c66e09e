/**
 * `./jts halt` and `./jts resume`. A halt goes through the running process; without one, or with one that hangs
 * (`does-answer.ts`), it is carried out from here (`halt-without.ts`).
 */
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { folderOf, isUsedBy, processOf, urlOf } from '../running.ts'
import { askGateway } from './ask-gateway.ts'
import { doesAnswer, isDeadOrStopped } from './does-answer.ts'
import { haltWithout, type HaltAnswer } from './halt-without.ts'

const OPTIONS = {
  reason: { type: 'text', value: 'TEXT', help: 'why, for the record' },
  url: { type: 'text', value: 'URL', help: "the dashboard's address (default: the process of --data-dir)" },
  strategy: {
    type: 'text',
    value: 'NAME',
    help: 'this strategy instance alone; resume also starts it again where it is barred or stopped',
  },
  reduce: {
    type: 'flag',
    help: 'halt: let orders through that reduce; buys are refused, and those that are open cancelled',
  },
  'data-dir': { type: 'text', value: 'DIR', help: 'folder of the process (.jts/live, .jts/paper or .jts/sim)' },
  json: { type: 'flag', help: 'one JSON object on standard output' },
} as const

const ANSWER_WITHIN_MS = 15_000

export async function haltCommand(name: 'halt' | 'resume', argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(
    {
      name,
      usage:
        name === 'halt' ? './jts halt [--strategy NAME] [--reduce] [--reason TEXT]' : './jts resume [--strategy NAME]',
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
  if (name === 'resume' && options.reduce === true) {
    throw new UserError('--reduce: expected with halt, found with resume')
  }
  const state = options.reduce === true ? 'reducing' : 'halted'
  const reason = options.reason ?? (name === 'halt' ? `${state} from the command line` : '')
  const { strategy = '' } = options
  const folder = options.url === undefined ? folderOf(options['data-dir']) : undefined
  // One that is starting says later where it is.
  const url = (): string => options.url ?? urlOf(folder!)
  const isAnswering = await answers(url, folder)
  if (!isAnswering && (name === 'resume' || folder === undefined)) {
    throw new UserError(`expected JTS to answer at ${url()}, found that it does not`)
  }
  const path = strategy === '' ? name : `strategies/${encodeURIComponent(strategy)}/${name}`
  const answer = isAnswering
    ? await askGateway<HaltAnswer>({
        ...{ url: url(), path, body: name === 'halt' ? { reason, state } : {} },
        ...{ withinMs: ANSWER_WITHIN_MS, refused: `${name} was refused` },
        unknown: `it is not known whether ${name} came through; ./jts status tells`,
      })
    : await haltWithout(folder!, { strategy, state, reason })
  process.stdout.write(
    options.json
      ? `${JSON.stringify(answer)}\n`
      : `${strategy === '' ? 'Trading' : strategy} is ${answer.tradingState}. Orders cancelled: ${answer.cancelled}, without an answer yet: ${answer.unknown}, open: ${answer.open}.${answer.message === '' ? '' : ` (${answer.message})`}\n`,
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
