/** `./jts status`: what trades, what does not, and why; as the dashboard shows it. */
import type { StatusView } from '@jts/contracts/gateway'
import { EXIT, parseCommand } from '../cli.ts'
import { folderOf, urlOf } from '../running.ts'
import { askGateway } from './ask-gateway.ts'

const SPEC = {
  name: 'status',
  usage: './jts status [--json]',
  summary: 'Tells what trades, and what is halted, held, stopped or down, and why.',
  options: {
    url: { type: 'text', value: 'URL', help: "the dashboard's address (default: the process of --data-dir)" },
    'data-dir': { type: 'text', value: 'DIR', help: 'folder of the process (.jts/live, .jts/paper or .jts/sim)' },
    json: { type: 'flag', help: 'one JSON object on standard output' },
  },
} as const

const ANSWER_WITHIN_MS = 15_000

export async function statusCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const { options } = parsed
  const url = options.url ?? urlOf(folderOf(options['data-dir']))
  const question = { url, path: 'status', withinMs: ANSWER_WITHIN_MS, refused: 'the status is not told' }
  const status = await askGateway<StatusView>(question)
  process.stdout.write(options.json ? `${JSON.stringify(status)}\n` : statusLines(status))
  return EXIT.ok
}

/** First what holds for everything, then for accounts and strategies, then the services that are not up. */
export function statusLines(status: StatusView): string {
  const { mode, tradingState, tradingStateReason, accountStates, strategies, services } = status
  const lines = [
    line(`Trading (${mode})`, tradingState, tradingStateReason),
    ...accountStates.map(({ account, instrument, state, code, reason }) =>
      line(`${account} ${instrument}`.trim(), state, [code, reason].filter((one) => one !== '').join(': ')),
    ),
    ...strategies.map((one) =>
      line(
        `strategy ${one.instance} (${one.account})`,
        one.tradingState ?? 'active',
        one.tradingStateReason,
        one.state === 'running' ? undefined : one.state,
      ),
    ),
    ...services.filter(({ state }) => state !== 'up').map(({ name, state, reason }) => line(name, state, reason)),
  ]
  return `${lines.join('\n')}\n`
}

function line(what: string, state: string, reason = '', engine?: string): string {
  return `${what}: ${state}${engine === undefined ? '' : `, ${engine}`}${reason === '' ? '' : ` (${reason})`}`
}
