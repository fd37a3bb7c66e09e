/** `node infra/build/main.ts SERVICE [--out DIR]`: builds one service into dist/apps/SERVICE. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { buildService } from './build.ts'

const ROOT = resolve(import.meta.dirname, '../..')

try {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: 'string' } } })
  const [name = '', ...others] = positionals
  if (name === '' || others.length > 0) throw new Error('usage: node infra/build/main.ts SERVICE [--out DIR]')
  const built = buildService(ROOT, name, values.out === undefined ? undefined : resolve(values.out))
  process.stdout.write(`${name}: ${built.files} files, ${built.packages} packages in ${built.folder}\n`)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
