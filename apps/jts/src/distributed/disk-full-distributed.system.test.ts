/** The disk of a distributed run is full: everything on it may end; with room again it trades on by itself, and all is right. */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sleep } from '@jts/testkit'
import { hasPrivateMounts, mountSmallDisk, runWithPrivateMounts, unmountDisk } from '@jts/testkit/private-mounts'
import { FaultRig } from './testing/fault-rig.ts'

const FULL = process.env['JTS_TEST_FULL'] === '1'
const DISK_MB = 400
const FULL_MS = 15_000

if (!hasPrivateMounts()) {
  test('in mounts of its own', async () => {
    assert.equal(await runWithPrivateMounts(import.meta.filename), undefined)
  })
} else if (!FULL) {
  // The whole run takes minutes; that such a disk really is full, and has room again, is seen at once.
  test('a small disk is full when it is, and has room again', () => {
    const folder = mkdtempSync(join(tmpdir(), 'jts-full-'))
    const disk = join(folder, 'disk')
    mountSmallDisk(disk, 8)
    try {
      fill(join(disk, 'ballast'))
      rmSync(join(disk, 'ballast'))
      writeFileSync(join(disk, 'room'), 'again')
    } finally {
      unmountDisk(disk)
      rmSync(folder, { recursive: true, force: true })
    }
  })
} else {
  test('a full disk ends nothing for good', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'jts-full-'))
    // PostgreSQL may run as another user.
    chmodSync(folder, 0o711)
    const disk = join(folder, 'disk')
    mountSmallDisk(disk, DISK_MB)
    const rig = await FaultRig.start({ ownServersIn: join(disk, 'run') })
    try {
      await rig.untilItTrades()
      const ballast = join(disk, 'ballast')
      fill(ballast)
      await sleep(FULL_MS)
      rmSync(ballast)
      await rig.untilTold(/(postgresql|kafka|order-execution|market-data-collector) is down/)
      await rig.untilItTrades()
      await rig.untilThePromiseHolds()
    } finally {
      await rig.stop()
      unmountDisk(disk)
      rmSync(folder, { recursive: true, force: true })
    }
  })
}

function fill(file: string): void {
  const block = Buffer.alloc(1024 * 1024)
  assert.throws(
    () => {
      for (let n = 0; n <= DISK_MB; n++) writeFileSync(file, block, { flag: 'a' })
    },
    { code: 'ENOSPC' },
  )
}
