/** Which test file belongs to which suite, decided by its name alone, so that none belongs to two or to none. */
import { readdirSync } from 'node:fs'
import { join, posix } from 'node:path'

export type FileSuite = 'unit' | 'integration' | 'browser' | 'system' | 'recordings' | 'containers'

const FOLDERS = ['libs', 'apps', 'strategies', 'infra', 'bench', 'scripts']
const LEFT_OUT = new Set(['node_modules', 'dist', 'generated', 'fixtures'])

export function suiteOf(file: string): FileSuite | undefined {
  if (file.endsWith('.recordings.ts')) return 'recordings'
  if (file.endsWith('.containers.ts')) return 'containers'
  if (!file.endsWith('.test.ts')) return undefined
  if (file.endsWith('.system.test.ts')) return 'system'
  if (file.endsWith('.integration.test.ts')) return 'integration'
  return file.split('/').includes('e2e') ? 'browser' : 'unit'
}

/** Paths from the root, with `/`, in order. */
export function findTests(root: string, suite: FileSuite): string[] {
  return FOLDERS.flatMap((folder) => filesUnder(root, folder)).filter((file) => suiteOf(file) === suite)
}

function filesUnder(root: string, folder: string): string[] {
  let entries
  try {
    entries = readdirSync(join(root, folder), { withFileTypes: true })
  } catch {
    return []
  }
  return entries
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const path = posix.join(folder, entry.name)
      if (entry.isDirectory()) return LEFT_OUT.has(entry.name) ? [] : filesUnder(root, path)
      return entry.isFile() ? [path] : []
    })
}
