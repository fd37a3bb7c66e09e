/**
 * Whose a data folder is: money of one mode only, and a run with a number of its own, from which every id is computed. A folder
 * that was deleted and made anew is another run, so that no id of the old one comes again while the broker still knows it.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { MODES, type Mode } from '@jts/model'
import { computedId } from '@jts/runtime'
import { UserError } from './cli.ts'

const FILE = 'data-folder.json'
const schema = z.strictObject({ mode: z.enum(MODES as [Mode, ...Mode[]]), runId: z.string().min(1) })

/**
 * @param newRunId for a folder in which nothing has run yet
 * @returns the run's id
 * @throws UserError when the folder is another mode's, or a replay's
 */
export function ownDataFolder(folder: string, mode: Mode, newRunId: () => string): string {
  if (existsSync(join(folder, 'run.json'))) {
    throw new UserError(`expected ${folder} to hold no replay, found one; choose another folder with --data-dir`)
  }
  const file = join(folder, FILE)
  if (!existsSync(file)) {
    // A version before this file computed the id from the folder's path: what it has sent is asked about by that.
    const isOld = existsSync(join(folder, 'jts.sqlite')) || existsSync(join(folder, 'run-distributed.json'))
    const runId = isOld ? computedId('live', mode, folder) : newRunId()
    write(file, { mode, runId })
    return runId
  }
  const found = read(file)
  if (found.mode === mode) return found.runId
  throw new UserError(
    `expected ${folder} to be a folder of mode ${mode}, found one of mode ${found.mode}: their orders and ledgers never mix; choose another folder with --data-dir`,
  )
}

function read(file: string): z.infer<typeof schema> {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (cause) {
    throw new UserError(`${file}: expected {"mode", "runId"} as JTS has written it, found something else`, { cause })
  }
}

/** Whole and on disk, or not at all: an id that is used and then forgotten would be another one after a restart. */
function write(file: string, content: z.infer<typeof schema>): void {
  const fresh = openSync(`${file}.new`, 'w')
  writeSync(fresh, `${JSON.stringify(content)}\n`)
  fsyncSync(fresh)
  closeSync(fresh)
  renameSync(`${file}.new`, file)
}
