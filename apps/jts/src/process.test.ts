import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const MEGABYTE = 1_000_000

test('a process whose command has ended leaves with all of its output, also while something still holds it', async () => {
  const file = pathToFileURL(join(import.meta.dirname, 'process.ts')).href
  const script = `
    import { leave } from '${file}'
    setInterval(() => undefined, 1000)
    process.stdout.write('x'.repeat(${MEGABYTE}))
    await leave(3)`
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const [output, [code]] = await Promise.all([buffer(child.stdout), once(child, 'exit')])
  assert.equal(code, 3)
  assert.equal(output.length, MEGABYTE)
})
