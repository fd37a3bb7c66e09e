/** The JTS of a data folder, as its process says where it is. */
import { existsSync, readFileSync, readdirSync, readlinkSync, realpathSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { BinanceEndpoints } from '@jts/binance-service'
import type { Mode } from '@jts/model'
import { FolderInUseError, LOCK_FILE, lockFolder } from '@jts/transport'
import { UserError } from './cli.ts'

/** What `up` leaves in its folder about itself. */
export type ProcessFile = {
  /** Null when it has ended in order. */
  readonly pid: number | null
  /** Its dashboard, once that is there. */
  readonly url: string | null
  readonly mode: Mode
  readonly config: string | null
  /** Where it trades at Binance; null for a local venue of its own, which ends with it. */
  readonly endpoints?: BinanceEndpoints | null
  readonly isDistributed?: boolean
  /** Its strategy instances and the account that each trades; absent before they are known. */
  readonly strategies?: readonly { readonly instance: string; readonly account: string }[]
}

const PROCESS_FILE = 'process.json'
/** Where each mode keeps its state, unless it is told otherwise. */
export const STATE_FOLDERS = ['.jts/live', '.jts/paper', '.jts/sim']

/** Of the folders, the one in use or else the first in which a JTS has run. @throws UserError when there is none */
export function folderOf(dataDir: string | undefined): string {
  const folders = (dataDir === undefined ? STATE_FOLDERS : [dataDir]).map((one) => resolve(one))
  const running = firstInUse(folders.filter((folder) => existsSync(join(folder, PROCESS_FILE))))
  if (running !== undefined) return running
  throw new UserError(
    `expected a JTS that has run in ${folders.join(', ')}, found none; name it with --data-dir or --url`,
  )
}

/** Of several, the one in use or else the first. */
export function firstInUse(folders: readonly string[]): string | undefined {
  return folders.length > 1 ? (folders.find(isInUse) ?? folders[0]) : folders[0]
}

export function processOf(folder: string): ProcessFile {
  return JSON.parse(readFileSync(join(folder, PROCESS_FILE), 'utf8')) as ProcessFile
}

/** @throws UserError while there is no dashboard */
export function urlOf(folder: string): string {
  const { url } = processOf(folder)
  if (url !== null) return url
  throw new UserError(`expected a JTS that runs with its dashboard in ${folder}, found none`)
}

/** Whole or not at all: others read it at any time. */
export function leaveProcessFile(folder: string, file: ProcessFile): void {
  const path = join(folder, PROCESS_FILE)
  writeFileSync(`${path}.new`, JSON.stringify(file))
  renameSync(`${path}.new`, path)
}

export function isInUse(folder: string): boolean {
  try {
    lockFolder(folder).release()
    return false
  } catch (error) {
    if (error instanceof FolderInUseError) return true
    throw error
  }
}

/**
 * Whether it is this process that uses the folder. An id in a file proves nothing: who wrote it may have ended since, and the id
 * may be another's now. Linux tells who has the lock's file open; elsewhere the id is believed while the folder is in use.
 */
export function isUsedBy(folder: string, pid: number): boolean {
  if (!isInUse(folder)) return false
  if (process.platform !== 'linux') return true
  try {
    const lock = realpathSync(join(folder, LOCK_FILE))
    const open = `/proc/${pid}/fd`
    return readdirSync(open).some((fd) => linkOf(join(open, fd)) === lock)
  } catch {
    // It is not there, or it is somebody else's.
    return false
  }
}

/** A file that was closed meanwhile is no link any more. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}
