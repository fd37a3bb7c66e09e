/** Installation as a newcomer has it: a fresh clone, one command, until it says its help; and what it takes on disk. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export type InstallBench = { readonly seconds: number; readonly sizeMb: number }

const ROOT = resolve(import.meta.dirname, '..')

export function benchInstall(): InstallBench {
  const folder = mkdtempSync(join(tmpdir(), 'jts-install-'))
  try {
    const clone = join(folder, 'jts')
    execFileSync('git', ['clone', '--quiet', ROOT, clone])
    const begun = performance.now()
    const run = spawnSync(join(clone, 'jts'), ['--help'], { cwd: clone, encoding: 'utf8' })
    if (run.status !== 0) throw new Error(`the installation failed: ${run.stderr}`)
    const seconds = (performance.now() - begun) / 1000
    const kilobytes = execFileSync('du', ['-sk', clone], { encoding: 'utf8' })
    return { seconds, sizeMb: parseInt(kilobytes, 10) / 1024 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
