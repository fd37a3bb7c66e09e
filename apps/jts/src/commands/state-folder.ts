/**
 * The folder whose state a command looks at: the one that is named, or else the one in use, or else the first in which anything
 * has run, real money before play money. Which one was taken is said, so that nobody takes one mode's orders for another's.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ARCHIVE_FOLDER } from '@jts/transport'
import { UserError } from '../cli.ts'
import { RUN_FILE } from '../distributed/run-file.ts'
import { firstInUse, STATE_FOLDERS } from '../running.ts'

/** For each command's help. */
export const STATE_FOLDER_HELP = 'folder of the state (.jts/live, .jts/paper or .jts/sim: the one in use, or the first)'

/** Also of a replay, and of a copy that was put back, in which no process has been yet. */
const STATE = ['jts.sqlite', RUN_FILE, ARCHIVE_FOLDER]

/** @throws UserError when there is no state */
export function stateFolder(dataDir: string | undefined, say: (line: string) => void = toPerson): string {
  const folders = (dataDir === undefined ? STATE_FOLDERS : [dataDir]).map((one) => resolve(one))
  const folder = firstInUse(folders.filter(hasState))
  if (folder === undefined) {
    const names = dataDir === undefined ? '; name its folder with --data-dir' : ''
    throw new UserError(`expected the state of a run in ${folders.join(', ')}, found none${names}`)
  }
  if (dataDir === undefined) say(`the state in ${folder}`)
  return folder
}

/** For what is written anew there: of several, the one that is meant is named. @throws UserError otherwise, or when there is no state */
export function stateFolderToWrite(dataDir: string | undefined): string {
  const folders = STATE_FOLDERS.map((one) => resolve(one)).filter(hasState)
  if (dataDir !== undefined || folders.length < 2) return stateFolder(dataDir)
  throw new UserError(`expected --data-dir to name the state that is to be written to, found ${folders.join(' and ')}`)
}

function hasState(folder: string): boolean {
  return STATE.some((name) => existsSync(join(folder, name)))
}

/** Standard output is for what was asked. */
function toPerson(line: string): void {
  process.stderr.write(`jts: ${line}\n`)
}
