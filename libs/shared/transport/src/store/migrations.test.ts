import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '@jts/runtime'
import { migrationsContract } from '../contract/migrations-contract.ts'
import { SqliteStore } from '../index.ts'

migrationsContract({
  name: 'SQLite',
  place: () => {
    const file = join(mkdtempSync(join(tmpdir(), 'jts-migrations-')), 'jts.sqlite')
    return Promise.resolve({
      open: async (tables) => {
        const fatal = (reason: string, cause: unknown): never => {
          throw new Error(reason, { cause })
        }
        const store = new SqliteStore({ file, log: silentLogger, fatal })
        try {
          store.ensure(tables)
          return store
        } catch (error) {
          await store.close()
          throw error
        }
      },
    })
  },
})
