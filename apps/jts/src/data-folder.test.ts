import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { computedId } from '@jts/runtime'
import { UserError } from './cli.ts'
import { ownDataFolder } from './data-folder.ts'

const root = mkdtempSync(join(tmpdir(), 'jts-data-folder-'))
after(() => rmSync(root, { recursive: true }))
const folder = (...files: string[]): string => {
  const made = mkdtempSync(join(root, 'one-'))
  for (const file of files) writeFileSync(join(made, file), '')
  return made
}
let runs = 0
const newRunId = (): string => `run-${++runs}`

test('a folder keeps its run’s id; one that was made anew gets another', () => {
  const dir = folder()
  const first = ownDataFolder(dir, 'sim', newRunId)
  assert.equal(ownDataFolder(dir, 'sim', newRunId), first)
  rmSync(dir, { recursive: true })
  assert.notEqual(ownDataFolder(folder(), 'sim', newRunId), first)
})

test('a folder of one mode is refused to another', () => {
  const dir = folder()
  ownDataFolder(dir, 'sim', newRunId)
  assert.throws(
    () => ownDataFolder(dir, 'live', newRunId),
    (error) => error instanceof UserError && /folder of mode live, found one of mode sim/.test(error.message),
  )
})

test('a folder of a version without the file keeps the ids it had', () => {
  for (const file of ['jts.sqlite', 'run-distributed.json']) {
    const dir = folder(file)
    assert.equal(ownDataFolder(dir, 'live', newRunId), computedId('live', 'live', dir))
    assert.equal(ownDataFolder(dir, 'live', newRunId), computedId('live', 'live', dir))
  }
})

test('a replay’s folder is refused', () => {
  assert.throws(() => ownDataFolder(folder('run.json'), 'sim', newRunId), /expected .* to hold no replay, found one/)
})

test('a file that JTS has not written is refused, by its name', () => {
  for (const text of ['', '{}', '{"mode":"sim"}', '{"mode":"other","runId":"x"}']) {
    const dir = folder()
    writeFileSync(join(dir, 'data-folder.json'), text)
    assert.throws(() => ownDataFolder(dir, 'sim', newRunId), /data-folder\.json: expected/)
  }
})
