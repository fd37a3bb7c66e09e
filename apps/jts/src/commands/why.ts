/** `./jts why ORDER`: the whole story of an order, from the tick that caused it to what a person was told. */
import { eventToJson } from '@jts/contracts'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { openLog } from '../open-log.ts'
import { findStory } from '../why/find.ts'
import { tellStory, timeText, type Step } from '../why/story.ts'
import { STATE_FOLDER_HELP, stateFolder } from './state-folder.ts'

const SPEC = {
  name: 'why',
  usage: './jts why ORDER|CORRELATION_ID [--data-dir DIR] [--json]',
  summary:
    'Tells why an order was made and what became of it: the tick, the signal, each check of risk with its figures, the request, the answers of the venue, the fills, what they did to the ledger, and what a person was told. ORDER is an id of ours, of the client order, of the venue, of the signal or of a fill. From the archive and the log alike, also while JTS runs.',
  positionals: { min: 1, max: 1 },
  options: {
    'data-dir': { type: 'text', value: 'DIR', help: STATE_FOLDER_HELP },
    json: { type: 'flag', help: 'one JSON object on standard output: the steps, and the events behind them' },
  },
} as const

export async function whyCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const id = parsed.positionals[0]!
  const folder = stateFolder(parsed.options['data-dir'])
  const opened = await openLog(folder)
  try {
    const found = await findStory(opened.log, id)
    if (found === undefined) {
      throw new UserError(
        `expected the id of an order, a signal, a fill or a correlation in ${folder}, found nothing about ${JSON.stringify(id)}; ./jts events tail orders.events shows the last ones`,
      )
    }
    const steps = tellStory(found)
    if (parsed.options.json) {
      const events = [...found.ticks, ...found.events].map(eventToJson)
      const effects = Object.fromEntries(found.effects)
      process.stdout.write(`${JSON.stringify({ id, steps, ledgerEffects: effects, events })}\n`)
    } else process.stdout.write(textOf(steps))
    return EXIT.ok
  } finally {
    await opened.close()
  }
}

function textOf(steps: readonly Step[]): string {
  let said = ''
  const lines = steps.flatMap(({ kind, timeUs, text, details }) => {
    const time = timeText(timeUs)
    const head = `${(time === said ? '' : time).padEnd(24)}  ${kind.padEnd(8)}  ${text}`
    said = time
    return [head, ...details.filter((one) => one !== '').map((one) => `${' '.repeat(38)}${one}`)]
  })
  return `${lines.join('\n')}\n`
}
