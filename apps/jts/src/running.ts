/** The JTS of a data folder, as its process says where it is. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Mode } from '@jts/model'
import { UserError } from './cli.ts'

/** What `up` leaves in its folder about itself. */
export type ProcessFile = {
  readonly pid: number
  readonly url: string
  readonly mode: Mode
  readonly config: string | null
}

export function folderOf(dataDir: string | undefined): string {
  const folders = (dataDir === undefined ? ['.jts/live', '.jts/paper', '.jts/sim'] : [dataDir]).map((one) =>
    resolve(one),
  )
  const found = folders.filter((folder) => existsSync(join(folder, 'process.json')))
  const running = found.find((folder) => isAlive(processOf(folder).pid)) ?? found[0]
  if (running !== undefined) return running
  throw new UserError(
    `expected a JTS that has run in ${folders.join(', ')}, found none; name it with --data-dir or --url`,
  )
}

export function processOf(folder: string): ProcessFile {
  return JSON.parse(readFileSync(join(folder, 'process.json'), 'utf8')) as ProcessFile
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
