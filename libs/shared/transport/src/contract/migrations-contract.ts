/** What every engine promises about tables that an older JTS has made. Each engine's test file runs this. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { defineTable, type Store, type Table } from '../index.ts'

export type MigrationsEngine = {
  readonly name: string
  /** A database of its own; opened again and again with the tables of one version after another. */
  place(): Promise<{ open(tables: readonly Table<never>[]): Promise<Store> }>
  stop?(): Promise<void>
}

const STEPS = [
  `ALTER TABLE test_things ADD COLUMN note TEXT NOT NULL DEFAULT ''; UPDATE test_things SET note = id || '=' || amount`,
  `ALTER TABLE test_things RENAME COLUMN times TO uses; ALTER TABLE test_things ADD COLUMN ratio DOUBLE PRECISION`,
  `ALTER TABLE test_things RENAME TO test_things_old;
   CREATE TABLE test_things (id TEXT NOT NULL, uses BIGINT NOT NULL, note TEXT NOT NULL, ratio DOUBLE PRECISION, PRIMARY KEY (id, uses));
   INSERT INTO test_things SELECT id, uses, note, ratio FROM test_things_old;
   DROP TABLE test_things_old`,
]
const first = defineTable('test_things', { id: 'text', amount: 'text', times: 'integer' }, ['id'])
const second = defineTable(
  'test_things',
  { id: 'text', amount: 'text', times: 'integer', note: 'text' },
  ['id'],
  STEPS.slice(0, 1),
)
const today = defineTable(
  'test_things',
  { id: 'text', uses: 'integer', note: 'text', ratio: 'real?' },
  ['id', 'uses'],
  STEPS,
)
const BIG = 9_007_199_254_740_991

export function migrationsContract(engine: MigrationsEngine): void {
  const { name } = engine
  after(() => engine.stop?.())

  const written = async () => {
    const place = await engine.place()
    const store = await place.open([first] as never[])
    store.transact((turn) => {
      turn.put(first, { id: 'a', amount: '1', times: BIG })
      turn.put(first, { id: 'b', amount: '2', times: 2 })
    })
    await store.durable()
    await store.close()
    return place
  }
  const rowsOf = async <R extends Record<string, unknown>>(store: Store, table: Table<never>): Promise<R[]> =>
    (await store.all(table)).map((row) => ({ ...(row as R) }))

  test(`${name}: a table of an older version goes through every step, once, and keeps its rows`, async () => {
    const place = await written()
    for (let run = 0; run < 2; run++) {
      const store = await place.open([today] as never[])
      assert.deepEqual(await rowsOf(store, today as never), [
        { id: 'a', uses: BIG, note: 'a=1', ratio: null },
        { id: 'b', uses: 2, note: 'b=2', ratio: null },
        ...(run === 0 ? [] : [{ id: 'b', uses: 3, note: 'more', ratio: 0.5 }]),
      ])
      store.transact((turn) => turn.put(today, { id: 'b', uses: 3, note: 'more', ratio: 0.5 }))
      await store.durable()
      await store.close()
    }
  })

  test(`${name}: a step at a time or all at once, the rows are the same`, async () => {
    const place = await written()
    await (await openAndRead(place, second)).close()
    const store = await openAndRead(place, today)
    assert.deepEqual(
      (await rowsOf<{ note: string }>(store, today as never)).map(({ note }) => note),
      ['a=1', 'b=2'],
    )
    await store.close()
  })

  test(`${name}: a table that a newer JTS has written is refused, and left as it is`, async () => {
    const place = await written()
    await (await openAndRead(place, today)).close()
    await assert.rejects(openAndRead(place, second), /test_things of version 2 or older, found 4: .* newer JTS/)
    await (await openAndRead(place, today)).close()
  })

  test(`${name}: another shape without a step is refused by name`, async () => {
    const place = await written()
    const other = defineTable('test_things', { id: 'text', amount: 'real', times: 'integer' }, ['id'])
    await assert.rejects(
      openAndRead(place, other),
      /expected table test_things with .*amount real.*, found .*amount text/,
    )
  })

  test(`${name}: a step that fails, or leaves another shape, changes nothing`, async () => {
    const place = await written()
    for (const step of ['UPDATE no_such_table SET x = 1', 'ALTER TABLE test_things ADD COLUMN wrong TEXT']) {
      const broken = defineTable(
        'test_things',
        { id: 'text', uses: 'integer', note: 'text', ratio: 'real?' },
        ['id'],
        [...STEPS.slice(0, 2), step],
      )
      await assert.rejects(openAndRead(place, broken))
    }
    const store = await openAndRead(place, first)
    assert.equal((await store.all(first)).length, 2)
    await store.close()
  })
}

async function openAndRead(
  place: { open(tables: readonly Table<never>[]): Promise<Store> },
  table: unknown,
): Promise<Store> {
  const store = await place.open([table] as never[])
  try {
    await store.all(table as Table<never>)
    return store
  } catch (error) {
    await store.close().catch(() => undefined)
    throw error
  }
}
