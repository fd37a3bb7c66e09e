import assert from 'node:assert/strict'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { silentLogger } from '@jts/runtime'
import { buildWebApp, WEB_ROOT } from './web-build.ts'

test('in production nothing is built: a page that is missing is said, one that is there stays as it is', async () => {
  const index = join(WEB_ROOT, 'index.html')
  const before = existsSync(index) ? statSync(index).mtimeMs : undefined
  const said: string[] = []
  const log = Object.assign(Object.create(silentLogger) as typeof silentLogger, {
    error: (_: unknown, words: string) => said.push(words),
  })
  await buildWebApp(log, { NODE_ENV: 'production' })
  assert.equal(existsSync(index) ? statSync(index).mtimeMs : undefined, before)
  assert.equal(said.length, before === undefined ? 1 : 0)
})
