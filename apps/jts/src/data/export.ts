/** `./jts data export`: a series that was collected, as a recording that `./jts backtest --data` reads. */
import { closeSync, openSync, renameSync, writeSync } from 'node:fs'
import { resolve } from 'node:path'
import { instrumentId, instrumentVenue, kstDateOf, timeframeUs } from '@jts/model'
import { instrumentOfFile } from '@jts/market-store/instrument-of-file'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { openCandles, type CollectedCandle } from './collected-candles.ts'
import { STATE_FOLDER_HELP, stateFolder } from '../commands/state-folder.ts'

const SPEC = {
  name: 'data export',
  usage: './jts data export --instrument KRX:005930 --timeframe 1d [--out FILE]',
  summary: 'Writes the collected candles of an instrument as CSV, oldest first, also while JTS runs.',
  options: {
    instrument: { type: 'text', value: 'ID', help: 'instrument such as KRX:005930' },
    timeframe: { type: 'text', value: 'T', help: 'such as 1d or 1m (1d)' },
    out: { type: 'text', value: 'FILE', help: 'the file (krx-005930-1d-collected.csv); its name tells the instrument' },
    'data-dir': { type: 'text', value: 'DIR', help: STATE_FOLDER_HELP },
    json: { type: 'flag', help: 'one JSON object on standard output' },
  },
} as const

export async function exportCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const { options } = parsed
  if (options.instrument === undefined) throw new UserError('expected --instrument, such as KRX:005930')
  const instrument = instrumentId(options.instrument)
  const timeframe = options.timeframe ?? '1d'
  timeframeUs(timeframe)
  const venue = instrumentVenue(instrument)
  const file = options.out ?? `${venue.toLowerCase()}-${instrument.slice(venue.length + 1)}-${timeframe}-collected.csv`
  const isDay = venue === 'KRX' && timeframe === '1d'
  const collected = await openCandles(stateFolder(options['data-dir']))
  let candles = 0
  let [first, last] = [0, 0]
  // Whole or not at all: a reader of a half-written file would take it for the whole.
  const fresh = `${file}.new`
  const out = openSync(fresh, 'w')
  try {
    writeSync(
      out,
      isDay ? 'date,open,high,low,close,volume\n' : 'open_time_ms,open,high,low,close,volume,close_time_ms\n',
    )
    for await (const candle of collected.read(instrument, timeframe)) {
      writeSync(out, isDay ? dayLine(candle) : line(candle))
      if (candles++ === 0) first = candle.openTimeUs
      last = candle.openTimeUs
    }
    if (candles === 0) {
      const known = (await collected.series()).map((one) => `${one.instrument} ${one.timeframe}`)
      const found = known.length === 0 ? 'nothing collected yet' : `only ${known.slice(0, 20).join(', ')}`
      throw new UserError(
        `expected collected candles of ${instrument} ${timeframe}, found ${found}; ./jts data collect collects`,
      )
    }
  } finally {
    closeSync(out)
    await collected.close()
  }
  renameSync(fresh, file)
  const [from, to] = [first, last].map((timeUs) => new Date(timeUs / 1000).toISOString())
  const summary = { instrument, timeframe, candles, from, to, file: resolve(file) }
  process.stdout.write(
    options.json
      ? `${JSON.stringify(summary)}\n`
      : `${candles} candles of ${instrument} ${timeframe}, ${from} to ${to}: ${file}\n${hint(file, instrument)}`,
  )
  return EXIT.ok
}

function line({ openTimeUs, open, high, low, close, volume, closeTimeUs }: CollectedCandle): string {
  return `${openTimeUs / 1000},${open},${high},${low},${close},${volume},${closeTimeUs / 1000}\n`
}

function dayLine({ openTimeUs, open, high, low, close, volume }: CollectedCandle): string {
  return `${kstDateOf(openTimeUs)},${open},${high},${low},${close},${volume}\n`
}

/** A name that does not tell the instrument is no mistake, but has to be made up for. */
function hint(file: string, instrument: string): string {
  try {
    if (instrumentOfFile(file) === instrument) return ''
  } catch {
    // Told below.
  }
  return `its name does not tell the instrument: ./jts backtest STRATEGY --data ${file} --instrument ${instrument}\n`
}
