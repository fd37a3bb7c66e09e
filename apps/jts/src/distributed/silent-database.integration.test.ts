/** Links to PostgreSQL that look open and carry nothing: given up after a while, and every turn is there once. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { silentLogger, systemClock } from '@jts/runtime'
import { startPostgres, type PostgresServer } from '@jts/servers'
import { sleep } from '@jts/testkit'
import { TcpProxy } from '@jts/testkit/tcp-proxy'
import { PostgresStore } from '@jts/transport/store/postgres'
import { defineTable } from '@jts/transport'

const counts = defineTable('test_counts', { id: 'text', count: 'integer' }, ['id'])

let postgres: PostgresServer
before(async () => {
  postgres = await startPostgres()
})
after(async () => {
  await postgres.stop()
})

for (const direction of ['up', 'down'] as const) {
  const what = direction === 'up' ? 'takes no commit' : 'brings no answer'
  test(`a link that ${what} is given up, and no turn is lost or made twice`, async () => {
    const proxy = await TcpProxy.start({ port: postgres.port })
    const url = new URL(postgres.url)
    url.port = String(proxy.port)
    const failures: unknown[] = []
    const store = await PostgresStore.open({
      url: url.href,
      namespace: `silent_${direction}`,
      unit: 'unit',
      owner: 'unit',
      log: silentLogger,
      wallClock: systemClock,
      fatal: (_, cause) => failures.push(cause),
      leaseMs: 600_000,
      silenceMs: 5000,
    })
    store.ensure([counts as never])
    const put = (count: number): void => store.transact((turn) => turn.put(counts, { id: `n${count}`, count }))
    put(1)
    await store.durable()
    proxy.stall(direction)
    put(2)
    const second = store.durable()
    put(3)
    const links = proxy.accepted
    while (proxy.accepted === links) await sleep(20)
    // A commit that was held back may now come through on a link that nobody reads any more.
    proxy.flow()
    await second
    put(4)
    await store.durable()
    const rows = await store.all(counts)
    assert.deepEqual(rows.map(({ count }) => count).sort(), [1, 2, 3, 4])
    assert.equal(store.commits, 3, 'the second and third turn share a commit')
    assert.deepEqual(failures, [])
    await store.close()
    await proxy.close()
  })
}
