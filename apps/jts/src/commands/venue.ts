/** `./jts venue binance`: one local venue alone, as its own process, for JTS or any third-party client. */
import { EXIT, UserError } from '../cli.ts'

const HELP = `Runs a local venue that speaks a broker's own protocol, on the loopback address unless told otherwise.

usage: ./jts venue binance --port N [--replay FILE] [--accounts N] [--json]

./jts venue binance --help tells all its options.
`

export async function venueCommand(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv
  if (name === '--help' || name === '-h') {
    process.stdout.write(HELP)
    return EXIT.ok
  }
  if (name !== 'binance') {
    throw new UserError(`expected a venue of: binance; found ${name === undefined ? 'none' : JSON.stringify(name)}`)
  }
  const { runBinanceVenue } = await import('@jts/binance-venue')
  return (await runBinanceVenue(rest)) ?? EXIT.ok
}
