/** Whose state a command tells of when nobody names a folder: never play money's while real money trades. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, test } from 'node:test'
import { lockFolder } from '@jts/transport'
import { exportCommand } from '../data/export.ts'
import { archiveCommand } from './archive.ts'
import { eventsCommand } from './events.ts'
import { rebuildCommand } from './rebuild.ts'
import { stateFolder, stateFolderToWrite } from './state-folder.ts'
import { whyCommand } from './why.ts'

const before = process.cwd()
const root = realpathSync(mkdtempSync(join(tmpdir(), 'jts-state-')))
process.chdir(root)
afterEach(() => rmSync('.jts', { recursive: true, force: true }))
after(() => {
  process.chdir(before)
  rmSync(root, { recursive: true, force: true })
})

function leave(mode: string, file = 'jts.sqlite'): string {
  const folder = join(root, '.jts', mode)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, file), '')
  return folder
}
const said: string[] = []
const say = (line: string): void => void said.push(line)

test('without a name it is live before paper before sim, of those in which anything has run, and it is said', () => {
  leave('sim')
  mkdirSync('.jts/paper')
  const live = leave('live', 'run-distributed.json')
  assert.equal(stateFolder(undefined, say), live)
  assert.deepEqual(said.splice(0), [`the state in ${live}`])
})

test('the one in use comes before all others', () => {
  leave('live')
  const sim = leave('sim')
  const lock = lockFolder(sim)
  assert.equal(stateFolder(undefined, say), sim)
  lock.release()
})

test('a folder that is named is that folder: a replay, or a copy that was put back; nothing is said', () => {
  leave('live')
  said.length = 0
  const copy = leave('copy', 'archive')
  assert.equal(stateFolder(copy, say), copy)
  assert.deepEqual(said, [])
})

test('what writes ledgers anew is told whose, where more than one has run', async () => {
  const [live, sim] = [leave('live'), leave('sim')]
  const message = `expected --data-dir to name the state that is to be written to, found ${live} and ${sim}`
  await assert.rejects(rebuildCommand(['--apply']), { name: 'UserError', message })
  assert.equal(stateFolderToWrite(sim), sim)
  rmSync(live, { recursive: true })
  assert.equal(stateFolderToWrite(undefined), sim)
})

const LOOK = [
  ['events', () => eventsCommand(['tail', 'orders.events'])],
  ['why', () => whyCommand(['some-order'])],
  ['rebuild', () => rebuildCommand([])],
  ['archive', () => archiveCommand([])],
  ['archive --verify', () => archiveCommand(['--verify'])],
  ['data export', () => exportCommand(['--instrument', 'KRX:005930'])],
] as const
for (const [name, look] of LOOK) {
  test(`${name} looks in the folder of every mode, and fails where nothing has run`, async () => {
    const folders = ['live', 'paper', 'sim'].map((mode) => join(root, '.jts', mode)).join(', ')
    await assert.rejects(look, { name: 'UserError', message: new RegExp(`expected the state of a run in ${folders},`) })
  })
}

test('an archive that is not there is none that was verified', async () => {
  await assert.rejects(
    archiveCommand(['--verify', '--data-dir', 'missing']),
    /expected the state .*missing, found none/,
  )
})
