import { randomBytes } from 'node:crypto'
import { silentLogger, systemClock } from '@jts/runtime'
import { providePostgres, type ProvidedPostgres } from '@jts/servers'
import { migrationsContract } from '../contract/migrations-contract.ts'
import { PostgresStore } from './postgres.ts'

let server: Promise<ProvidedPostgres> | undefined

migrationsContract({
  name: 'PostgreSQL',
  place: async () => {
    const { url } = await (server ??= providePostgres())
    const namespace = `t${randomBytes(4).toString('hex')}`
    return {
      open: async (tables) => {
        const store = await PostgresStore.open({
          url,
          namespace,
          unit: 'unit',
          owner: 'first',
          log: silentLogger,
          wallClock: systemClock,
          fatal: () => undefined,
        })
        store.ensure(tables)
        return store
      },
    }
  },
  stop: async () => (await server)?.stop(),
})
