/**
 * `./jts rebuild`: the ledgers, fills and open orders folded anew from archive and log, held against what the services keep; with
 * `--strategies` the strategy instances run once more on the inputs that are recorded.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { readRunFile, RUN_FILE } from '../distributed/run-file.ts'
import { applyToFolder, applyToRun } from '../rebuild/apply.ts'
import { openFolder } from '../rebuild/kept.ts'
import { rebuild, type Mended, type Rebuilt } from '../rebuild/rebuild.ts'
import { replayStrategies } from '../rebuild/strategies.ts'
import { tellStrategies } from '../rebuild/tell-strategies.ts'
import { STATE_FOLDER_HELP, stateFolder, stateFolderToWrite } from './state-folder.ts'

const SPEC = {
  name: 'rebuild',
  usage: './jts rebuild [--data-dir DIR] [--apply | --strategies] [--json]',
  summary:
    'Folds every ledger, fill and open order anew from the event log and its archive, and says whether the services keep the same. Exit code 1 when they do not.',
  options: {
    'data-dir': { type: 'text', value: 'DIR', help: STATE_FOLDER_HELP },
    apply: {
      type: 'flag',
      help: 'write the ledgers that the log says over those that differ; JTS must be stopped. Orders and fills are only compared: the next start settles them with the broker',
    },
    strategies: {
      type: 'flag',
      help: 'instead, run every strategy instance once more in the recorded order of its inputs, and say whether its signals and states are those that were recorded',
    },
    json: { type: 'flag', help: 'one JSON object on standard output' },
  },
} as const

export async function rebuildCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const folder = (parsed.options.apply ? stateFolderToWrite : stateFolder)(parsed.options['data-dir'])
  if (parsed.options.strategies) {
    if (parsed.options.apply)
      throw new UserError('expected --apply or --strategies, found both: a replay writes nothing')
    return tellStrategies(await replayStrategies(folder), parsed.options.json)
  }
  let rebuilt: Rebuilt | undefined
  const look = async (): Promise<readonly Mended[]> => {
    const opened = await openFolder(folder)
    try {
      rebuilt = await rebuild(opened)
      return rebuilt.mended
    } finally {
      await opened.close()
    }
  }
  if (!parsed.options.apply) await look()
  else if (existsSync(join(folder, RUN_FILE))) await applyToRun(readRunFile(join(folder, RUN_FILE)), look)
  else await applyToFolder(folder, look)
  const { mended, ...said } = rebuilt!
  const result = { equal: said.differences.length === 0, ...said, applied: parsed.options.apply ? mended.length : 0 }
  process.stdout.write(parsed.options.json ? `${JSON.stringify(result)}\n` : textOf(result))
  return result.equal ||
    (parsed.options.apply && said.differences.length > 0 && (await isEqualNow(look, () => rebuilt!)))
    ? EXIT.ok
    : EXIT.no
}

async function isEqualNow(look: () => Promise<unknown>, rebuilt: () => Rebuilt): Promise<boolean> {
  await look()
  return rebuilt().differences.length === 0
}

function textOf(result: Omit<Rebuilt, 'mended'> & { equal: boolean; applied: number }): string {
  const { events, accounts, fills, openOrders, differences, applied } = result
  const lines = [
    `Folded ${events} events of orders.events: ${accounts} account(s), ${fills} fill(s), ${openOrders} open order(s).`,
    result.equal ? 'Equal to what the services keep.' : `${differences.length} difference(s):`,
    ...differences.map(({ where, log, kept }) => `  ${where}: the log says ${log}, kept is ${kept}`),
    ...(applied === 0 ? [] : [`${applied} ledger(s) written anew from the log.`]),
  ]
  return `${lines.join('\n')}\n`
}
