/** What a clone of this repository holds, in another folder: tests run its scripts there. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** @throws Error outside a git clone */
export function copyClean(root: string, to: string): void {
  const listed = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
  const files = listed.stdout.toString().split('\0').filter(Boolean)
  if (files.length === 0) throw new Error(`expected a git clone at ${root}, found none`)
  for (const file of files) {
    // What is deleted and not committed yet is still listed.
    if (!existsSync(join(root, file))) continue
    mkdirSync(dirname(join(to, file)), { recursive: true })
    cpSync(join(root, file), join(to, file), { preserveTimestamps: true })
  }
}

/** The libraries of this clone for a copy of it, where they need not be its own. */
export function lendLibraries(root: string, to: string): void {
  for (const modules of ['node_modules', 'infra/node/node_modules']) symlinkSync(join(root, modules), join(to, modules))
}
