/** `./jts backtest STRATEGY --data FILE`: the same strategy, the same fills as the replay, in one pass over memory. */
import { writeFileSync } from 'node:fs'
import { runBacktest, summarise } from '@jts/backtest'
import { fillLine, shippedAssumption, sortedFills } from '@jts/model'
import { readRecordedMarket } from '@jts/market-store/recorded-market'
import { EXIT, parseCommand, parseSets, UserError } from '../cli.ts'
import { readConfig, riskLimits } from '../config.ts'
import { findStrategy } from '../strategies.ts'

const SPEC = {
  name: 'backtest',
  usage: './jts backtest STRATEGY --data FILE [--data FILE …] [--set name=value …] [--json]',
  summary: 'Runs a strategy over recorded bars or trades. STRATEGY is a file, or the name of one in strategies/.',
  positionals: { min: 1, max: 1 },
  options: {
    data: { type: 'list', value: 'FILE', help: 'recorded market (CSV, may be gzip); repeat for several instruments' },
    instrument: { type: 'text', value: 'V:SYMBOL', help: 'instrument, where the file name does not tell it' },
    set: { type: 'list', value: 'name=value', help: 'a parameter of the strategy' },
    cash: { type: 'text', value: 'AMOUNT', help: 'opening cash in the quote currency (100000)' },
    fee: {
      type: 'text',
      value: 'RATE',
      help: 'fee as a share of what is received (0.001); on KRX the commission (0.00015), tax apart',
    },
    'slippage-bps': { type: 'number', value: 'N', help: 'moves market fills against us by N basis points (0)' },
    'allow-gaps': { type: 'flag', help: 'accept missing bars and count them' },
    config: { type: 'text', value: 'FILE', help: 'jts.yaml, for its risk limits' },
    fills: { type: 'text', value: 'FILE', help: 'write the fills as CSV' },
    json: { type: 'flag', help: 'one JSON object on standard output' },
  },
} as const

export async function backtestCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const { options, positionals } = parsed
  if (options.data.length === 0) throw new UserError(`expected --data FILE\nusage: ${SPEC.usage}`)
  const strategy = await findStrategy(positionals[0]!, parseSets(options.set))
  const markets = []
  for (const file of options.data) {
    const market = await readRecordedMarket(file, {
      ...(options.instrument === undefined ? {} : { instrument: options.instrument }),
      allowGaps: options['allow-gaps'],
    })
    const assumption = shippedAssumption(market.instrument)
    if (assumption !== undefined) process.stderr.write(`jts: ${assumption}\n`)
    markets.push(market)
  }
  const result = runBacktest({
    strategy: strategy.definition,
    parameters: parseSets(options.set),
    markets,
    nowMs: () => performance.now(),
    limits: riskLimits(readConfig(options.config)),
    ...(options.cash === undefined ? {} : { cash: options.cash }),
    ...(options.fee === undefined ? {} : { feeRate: options.fee }),
    slippageBps: options['slippage-bps'] ?? 0,
    log: (message) => process.stderr.write(`${message}\n`),
  })
  const summary = summarise(result)
  if (options.fills !== undefined) {
    writeFileSync(
      options.fills,
      sortedFills(result.fills)
        .map((fill) => `${fillLine(fill)}\n`)
        .join(''),
    )
  }
  const gaps = result.inputs.reduce((sum, input) => sum + input.gaps, 0)
  if (options.json) process.stdout.write(`${JSON.stringify({ ...summary, gaps })}\n`)
  else process.stdout.write(`${reportText({ ...summary, gaps })}\n`)
  return EXIT.ok
}

type Report = ReturnType<typeof summarise> & { readonly gaps: number }

function barNotes({ warmUpBars = 0, gaps }: Report): string {
  const notes = [...(warmUpBars > 0 ? [`${warmUpBars} of warm-up`] : []), ...(gaps > 0 ? [`${gaps} gaps`] : [])]
  return notes.length === 0 ? '' : ` (${notes.join(', ')})`
}

/** The figures for a person; every PnL names its fill model and slippage. */
export function reportText(report: Report): string {
  const { quoteCurrency: quote } = report
  const fees = Object.entries(report.fees).map(([currency, amount]) => `${amount} ${currency}`)
  const rows: [string, string][] = [
    ['strategy', `${report.strategy} ${JSON.stringify(report.parameters)}`],
    report.trades > 0 ? ['trades', String(report.trades)] : ['bars', `${report.bars}${barNotes(report)}`],
    ['signals', `${report.signals}: ${report.approved} approved, ${report.denied} denied`],
    ['orders, fills', `${report.orders}, ${report.fills}`],
    ['cash', `${report.cash} ${quote}`],
    ...Object.entries(report.positions).map(([id, quantity]): [string, string] => [`position ${id}`, quantity]),
    ['equity', `${report.equity} ${quote}`],
    [
      'realised PnL',
      `${report.realisedPnl} ${quote} (net of fees; fills ${report.fillModel}, slippage ${report.slippageBps} bps)`,
    ],
    ['fees', fees.join(', ') || 'none'],
    ['time', `${report.durationMs.toFixed(1)} ms`],
  ]
  return rows.map(([name, value]) => `${name.padEnd(22)} ${value}`).join('\n')
}
