/**
 * A process for the test beside it: one pass over a data folder, killed as `kill -9` would right before its n-th step on disk,
 * or with that step half done. Without a number it goes through, and says which steps it took.
 *
 * node retention-under-kill.ts FOLDER NOW_US [before|half N]
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { silentLogger } from '@jts/runtime'

const [folder, nowUs, when, number] = process.argv.slice(2)
const steps: string[] = []
let isCounting = false

type Call = (...parameters: never[]) => unknown
const half: Readonly<Record<string, (real: Call, parameters: unknown[]) => void>> = {
  writeSync: (real, [file, bytes, ...rest]) => {
    const all = bytes as Buffer
    const begun = (rest[0] as number | undefined) ?? 0
    const cut = begun + Math.floor((all.length - begun) / 2)
    const parameters = rest.length > 2 ? [begun, cut - begun, rest[2]] : [begun, cut - begun]
    real(...([file, all, ...parameters] as never[]))
  },
}

for (const name of ['writeSync', 'fsyncSync', 'fdatasyncSync', 'renameSync', 'ftruncateSync', 'mkdirSync'] as const) {
  const real = fs[name] as unknown as Call
  const patched = (...parameters: unknown[]): unknown => {
    if (isCounting && steps.push(name) === Number(number)) {
      if (when === 'half') half[name]?.(real, parameters)
      process.kill(process.pid, 'SIGKILL')
    }
    return real(...(parameters as never[]))
  }
  Object.assign(fs, { [name]: patched })
}
syncBuiltinESMExports()

const { Archive, ARCHIVE_FOLDER, EmbeddedBus, Retention, SqliteStore } = await import('../index.ts')
const fatal = (reason: string, cause: unknown): never => {
  throw new Error(reason, { cause })
}
const store = new SqliteStore({ file: join(folder!, 'jts.sqlite'), log: silentLogger, fatal })
const archive = new Archive(join(folder!, ARCHIVE_FOLDER))
const bus = new EmbeddedBus({ store, log: silentLogger, archive, fatal })
bus.subscribe({ group: 'a', topics: ['orders.events'], handle: () => undefined })
await bus.start()
isCounting = true
const moved = await new Retention({ store, bus, archive, log: silentLogger }).pass(Number(nowUs))
isCounting = false
await store.close()
process.stdout.write(JSON.stringify({ steps, ...moved }))
