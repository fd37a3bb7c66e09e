/** `./jts adjust`: what differs between the ledger and the broker, and booking it where money moved without a trade. */
import type { AccountView, AdjustmentView, PortfolioView } from '@jts/contracts/gateway'
import { ADJUSTMENT_REASONS, formatUnits, isAdjustmentReason, parseUnits } from '@jts/model'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { folderOf, urlOf } from '../running.ts'
import { askGateway } from './ask-gateway.ts'

const REASONS = ADJUSTMENT_REASONS.join(', ')
const SPEC = {
  name: 'adjust',
  usage: './jts adjust ACCOUNT [ASSET AMOUNT --reason REASON --words TEXT]',
  summary: [
    'Books money, or shares, that came or (below 0) went without a trade: exactly what the broker has more or less than the',
    'ledger at this moment, or nothing. It is no profit and no loss. Without ASSET and AMOUNT: shows what differs.',
  ].join('\n'),
  positionals: { min: 1, max: 3 },
  options: {
    reason: { type: 'text', value: 'REASON', help: REASONS },
    words: { type: 'text', value: 'TEXT', help: 'what you know about it, for the record' },
    url: { type: 'text', value: 'URL', help: "the dashboard's address (default: the process of --data-dir)" },
    'data-dir': { type: 'text', value: 'DIR', help: 'folder of the process (.jts/live, .jts/paper or .jts/sim)' },
    json: { type: 'flag', help: 'one JSON object on standard output' },
  },
} as const

/** Two looks at the broker, and what a slow machine adds. */
const ASKED = {
  withinMs: 40_000,
  refused: 'nothing is booked',
  unknown: 'it is not known whether it is booked; asked again, it is booked once at most',
}

export async function adjustCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const { options, positionals } = parsed
  const [account = '', asset, amount] = positionals
  const url = options.url ?? urlOf(folderOf(options['data-dir']))
  if (asset === undefined) return await showDifferences(url, account, options.json)
  if (amount === undefined) throw new UserError(`expected an amount of ${asset}, found none\nusage: ${SPEC.usage}`)
  const { reason = '', words = '' } = options
  if (!isAdjustmentReason(reason)) {
    throw new UserError(`--reason: expected one of ${REASONS}, found ${JSON.stringify(reason)}`)
  }
  if (words.trim() === '')
    throw new UserError('--words: expected what you know about it, for the record, found nothing')
  const body = { asset, amount, reason, words }
  const path = `accounts/${encodeURIComponent(account)}/adjustments`
  const answer = await askGateway<AdjustmentView>({ url, path, body, ...ASKED })
  const did = answer.outcome === 'booked' ? 'is booked' : 'has been booked before; nothing differs any more'
  process.stdout.write(
    options.json
      ? `${JSON.stringify(answer)}\n`
      : `${account}: ${amount} ${asset} ${did} (${answer.adjustmentId}). The ledger equals the broker's record of it.\n`,
  )
  return EXIT.ok
}

async function showDifferences(url: string, account: string, json: boolean): Promise<number> {
  const { accounts } = await askGateway<PortfolioView>({
    url,
    path: 'portfolio',
    ...ASKED,
    refused: 'what differs is not told',
  })
  const found = accounts.find((one) => one.account === account)
  if (found === undefined) {
    const known = accounts.map((one) => one.account).join(', ') || 'none that has a ledger'
    throw new UserError(`account: expected one of ${known}, found ${JSON.stringify(account)}`)
  }
  const { reconciled, differences } = found
  process.stdout.write(json ? `${JSON.stringify({ account, reconciled, differences })}\n` : linesOf(found))
  return EXIT.ok
}

function linesOf({ account, differences }: AccountView): string {
  if (differences.length === 0) return `${account}: nothing differed in the last comparison with the broker.\n`
  const lines = differences.map(({ currency, ours, venue }) => {
    const amount = formatUnits(parseUnits(venue) - parseUnits(ours))
    const way = amount.startsWith('-') ? 'withdrawal' : 'deposit'
    const book = `./jts adjust ${account} ${currency} ${amount} --reason ${way} --words "…"`
    return `  ${currency}: ledger ${ours}, broker ${venue}\n    if it moved without a trade: ${book}`
  })
  return `${account} differed in the last comparison with the broker:\n${lines.join('\n')}\n`
}
