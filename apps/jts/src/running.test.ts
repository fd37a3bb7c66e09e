/** Who uses a data folder: what a file says of it may be long past. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { lockFolder } from '@jts/transport'
import { folderOf, isUsedBy, leaveProcessFile, processOf, urlOf, type ProcessFile } from './running.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-running-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const ENDED: ProcessFile = { pid: null, url: null, mode: 'sim', config: null }

test('a folder is used by the process that holds its lock, and by no other that is alive', () => {
  assert.equal(isUsedBy(folder, process.pid), false)
  const lock = lockFolder(folder)
  assert.equal(isUsedBy(folder, process.pid), true)
  // Elsewhere nobody tells who holds it.
  if (process.platform === 'linux') assert.equal(isUsedBy(folder, process.ppid), false)
  lock.release()
  assert.equal(isUsedBy(folder, process.pid), false)
})

test('one that has ended in order leaves no id and no address, and is found all the same', () => {
  assert.throws(() => folderOf(folder), /expected a JTS that has run/)
  leaveProcessFile(folder, { ...ENDED, pid: process.pid, url: 'http://127.0.0.1:1' })
  assert.equal(urlOf(folder), 'http://127.0.0.1:1')
  leaveProcessFile(folder, ENDED)
  assert.equal(folderOf(folder), folder)
  assert.deepEqual(processOf(folder), ENDED)
  assert.throws(() => urlOf(folder), /expected a JTS that runs with its dashboard/)
})
