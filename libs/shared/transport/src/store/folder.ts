/** One process per data folder: an exclusive lock that the kernel takes back when the process dies, however it dies. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** In the folder; whoever uses the folder has it open and locked. */
export const LOCK_FILE = 'lock.sqlite'

export class FolderInUseError extends Error {
  override readonly name = 'FolderInUseError'
}

/** @throws FolderInUseError when another process holds the folder. */
export function lockFolder(folder: string): { release(): void } {
  mkdirSync(folder, { recursive: true })
  const lock = new DatabaseSync(join(folder, LOCK_FILE))
  try {
    lock.exec('PRAGMA journal_mode=DELETE; PRAGMA busy_timeout=200; BEGIN EXCLUSIVE')
  } catch (cause) {
    lock.close()
    throw new FolderInUseError(
      `expected the data folder ${folder} to be free, found another JTS process using it; stop that one or choose another folder with --data-dir`,
      { cause },
    )
  }
  return { release: () => lock.close() }
}
