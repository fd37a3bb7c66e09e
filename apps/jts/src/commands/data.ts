/** `./jts data collect` asks the running JTS for past candles; `./jts data export` writes what was collected as a recording. */
import { EXIT, UserError } from '../cli.ts'
import { collectCommand } from '../data/collect.ts'
import { exportCommand } from '../data/export.ts'

const HELP = `Past candles: collected from the brokers into the running JTS, and written as files that a backtest reads.

usage: ./jts data collect [--broker creon|binance] [--instruments ID,… | --market KOSPI,KOSDAQ] [--from DAY] [--to DAY] [--timeframe 1d]
       ./jts data export --instrument KRX:005930 --timeframe 1d --out FILE

./jts data collect --help and ./jts data export --help tell their options.
`

export async function dataCommand(argv: readonly string[]): Promise<number> {
  const [verb, ...rest] = argv
  if (verb === 'collect') return await collectCommand(rest)
  if (verb === 'export') return await exportCommand(rest)
  if (verb === undefined || verb === '--help' || verb === '-h') {
    process.stdout.write(HELP)
    return verb === undefined ? EXIT.usage : EXIT.ok
  }
  throw new UserError(`expected data collect or data export, found data ${verb}`)
}
