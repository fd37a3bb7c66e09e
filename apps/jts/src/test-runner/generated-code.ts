/** Fails when the code generated from the .proto files is not what they say now. Run by the static suite. */
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const contracts = join(import.meta.dirname, '../../../../libs/shared/contracts')
const buf = join(import.meta.dirname, '../../../../node_modules/.bin/buf')

const folder = mkdtempSync(join(tmpdir(), 'jts-generated-'))
try {
  const generated = spawnSync(buf, ['generate', '--output', folder], { cwd: contracts, encoding: 'utf8' })
  if (generated.status !== 0) throw new Error(`buf generate failed: ${generated.stderr}`)
  const stale = differences(join(folder, 'src/generated'), join(contracts, 'src/generated'))
  if (stale.length > 0) {
    process.stderr.write(
      `Not what the .proto files say now (run \`buf generate\` in libs/shared/contracts):\n${stale.join('\n')}\n`,
    )
    process.exitCode = 1
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function differences(expected: string, found: string): string[] {
  const files = (root: string): string[] => globSync('**/*.ts', { cwd: root })
  return [...new Set([...files(expected), ...files(found)])]
    .filter((file) => textOf(join(expected, file)) !== textOf(join(found, file)))
    .sort()
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
