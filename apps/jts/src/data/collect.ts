/**
 * `./jts data collect`: begins a collection in the running JTS and watches it to its end. The run is the service's own: whoever
 * watches may go, and a service that is killed goes on with it when it is started again.
 */
import type { CollectionView } from '@jts/contracts/gateway'
import { kstText } from '@jts/model'
import { systemClock } from '@jts/runtime'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { BROKER_NAMES, venueAt } from '../config.ts'
import { folderOf, urlOf } from '../running.ts'

const SPEC = {
  name: 'data collect',
  usage:
    './jts data collect [--broker creon|binance] [--instruments ID,… | --market KOSPI,KOSDAQ] [--from DAY] [--to DAY] [--timeframe 1d]',
  summary: `Collects past candles into the running JTS, through its brokers: what is not there yet, each candle once. Without --instruments and
--market it collects what is traded; without --from it goes on where each series ends. Ended with Ctrl-C it goes on in the service; the same
command watches it again. Ends with 0 when everything was collected, with 1 when something failed.`,
  options: {
    broker: { type: 'text', value: 'NAME', help: `${BROKER_NAMES.join(' or ')} (default: every one of this run)` },
    instruments: { type: 'list', value: 'ID,…', help: 'instruments such as KRX:005930; may be repeated' },
    market: { type: 'list', value: 'NAME,…', help: 'whole markets: KOSPI, KOSDAQ, KONEX' },
    from: { type: 'text', value: 'DAY', help: 'first day, YYYY-MM-DD: of Seoul for KRX, of UTC for Binance' },
    to: { type: 'text', value: 'DAY', help: 'last day, included (today)' },
    timeframe: { type: 'text', value: 'T', help: 'such as 1d or 1m (1d)' },
    cancel: { type: 'flag', help: 'end the collection that is running at --broker' },
    url: { type: 'text', value: 'URL', help: "the dashboard's address (default: the process of --data-dir)" },
    'data-dir': { type: 'text', value: 'DIR', help: 'folder of the process (.jts/live, .jts/paper or .jts/sim)' },
    json: { type: 'flag', help: 'one JSON object on standard output' },
  },
} as const

const LOOK_MS = 500
/** A service that is being started again is waited for so long. */
const AWAY_MS = 60_000
const ANSWER_MS = 35_000

export async function collectCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const { options } = parsed
  const folder = options.url === undefined ? folderOf(options['data-dir']) : undefined
  // One that was killed and started again may be found elsewhere.
  const url = (): string => options.url ?? urlOf(folder!)
  const listed = (values: readonly string[]): string[] => values.flatMap((one) => one.split(',')).filter(Boolean)
  const [instruments, markets] = [listed(options.instruments), listed(options.market)]
  const venues = new Set(instruments.map((id) => id.slice(0, id.indexOf(':'))))
  if (venues.size > 1)
    throw new UserError(`--instruments: expected those of one venue, found ${[...venues].join(', ')}`)
  const [named] = markets.length > 0 ? ['KRX'] : [...venues]
  const venue = options.broker === undefined ? named : venueAt(options.broker)
  if (options.cancel) {
    if (venue === undefined) throw new UserError('--cancel: expected --broker beside it, found none')
    return end(await call(url, `/collections/${venue}/cancel`, {}), options.json)
  }
  const begun = await call(url, '/collections', {
    ...(venue === undefined ? {} : { venue }),
    ...(instruments.length === 0 ? {} : { instruments }),
    ...(markets.length === 0 ? {} : { markets }),
    ...(options.from === undefined ? {} : { from: options.from }),
    ...(options.to === undefined ? {} : { to: options.to }),
    timeframe: options.timeframe ?? '1d',
  })
  const wanted = new Set(begun.map((one) => one.venue))
  return end(await untilEnded(url, wanted, begun), options.json)
}

async function untilEnded(
  url: () => string,
  venues: ReadonlySet<string>,
  begun: readonly CollectionView[],
): Promise<readonly CollectionView[]> {
  let runs = begun
  let awaySinceMs: number | undefined
  const show = progress()
  for (;;) {
    show(runs)
    if (runs.length > 0 && runs.every(({ state }) => state !== 'running')) return runs
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    try {
      runs = (await call(url, '/collections')).filter(({ venue }) => venues.has(venue))
      awaySinceMs = undefined
    } catch (error) {
      awaySinceMs ??= performance.now()
      if (performance.now() - awaySinceMs < AWAY_MS) continue
      throw new UserError(
        `${(error as Error).message}\nThe collection goes on when JTS is started again; the same command watches it.`,
        { cause: error },
      )
    }
  }
}

/** A line that moves on a terminal; elsewhere a line now and then, so that a log tells how far it is. */
function progress(): (runs: readonly CollectionView[]) => void {
  const isTerminal = process.stderr.isTTY === true
  let told = ''
  let toldMs = 0
  return (runs) => {
    const text = runs.map(lineOf).join(' · ')
    const isOver = runs.every(({ state }) => state !== 'running')
    if (text === told || (!isTerminal && !isOver && performance.now() - toldMs < 5000 && told !== '')) return
    told = text
    toldMs = performance.now()
    process.stderr.write(isTerminal ? `\r\u001b[K${text}${isOver ? '\n' : ''}` : `${text}\n`)
  }
}

function lineOf({ venue, timeframe, total, done, candles, failures, reason, state }: CollectionView): string {
  const share = total === 0 ? 0 : Math.floor((20 * done) / total)
  const bar = `[${'#'.repeat(share)}${'.'.repeat(20 - share)}]`
  const waits = state === 'running' && reason !== '' ? `, waiting: ${reason}` : ''
  return `${venue} ${timeframe} ${bar} ${done} of ${total}, candles ${candles}, failed ${failures.length}${waits}`
}

function end(runs: readonly CollectionView[], isJson: boolean): number {
  const isWhole = runs.length > 0 && runs.every(({ state, failures }) => state === 'done' && failures.length === 0)
  process.stdout.write(isJson ? `${JSON.stringify({ collections: runs })}\n` : runs.map(summaryOf).join(''))
  return isWhole ? EXIT.ok : EXIT.no
}

const WORDS = {
  scheduled: 'has not begun',
  running: 'is running',
  done: 'is done',
  cancelled: 'was ended',
  failed: 'failed',
} as const

function summaryOf(run: CollectionView): string {
  const { venue, timeframe, state, reason, total, done, candles, gaps, failures } = run
  const why = reason === '' ? '' : `: ${reason}`
  const next = run.nextUs > systemClock.nowUs() ? [`  next by the calendar: ${kstText(run.nextUs)}`] : []
  const lines = [
    `${venue} ${timeframe} ${WORDS[state]}${why}`,
    `  instruments ${done} of ${total}, candles ${candles}, gaps ${gaps}, failed ${failures.length}`,
    ...failures.map((one) => `  ${one.instrument}: ${one.reason} (asked ${one.attempts} times)`),
    ...next,
  ]
  return `${lines.join('\n')}\n`
}

async function call(at: () => string, path: string, body?: object): Promise<readonly CollectionView[]> {
  const url = at()
  const response = await fetch(new URL(`/api/v1${path}`, url), {
    ...(body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(ANSWER_MS),
  }).catch((cause: unknown) => {
    throw new UserError(`expected JTS to answer at ${url}, found that it does not: start it with ./jts up`, { cause })
  })
  const answer = (await response.json()) as { data?: readonly CollectionView[]; detail?: string; title?: string }
  if (response.ok && answer.data !== undefined) return answer.data
  throw new UserError(`the collection was refused: ${answer.detail ?? answer.title ?? response.status}`)
}
