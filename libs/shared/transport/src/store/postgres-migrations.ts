/** Brings the tables of a unit's schema to today's shape, in one transaction. */
import type { Sql } from 'postgres'
import { checkShape, stepsFrom, tableVersion } from './migrations.ts'
import { createTableSql, type Table } from './table.ts'

/** @param schema the schema's name, quoted. */
export async function migrateTables(sql: Sql, schema: string, tables: readonly Table<never>[]): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction.unsafe('SELECT pg_advisory_xact_lock(hashtext($1))', [`jts ${schema}`])
    await transaction.unsafe(`CREATE SCHEMA IF NOT EXISTS ${schema}`)
    await transaction.unsafe(`SET LOCAL search_path TO ${schema}`)
    await transaction.unsafe(
      'CREATE TABLE IF NOT EXISTS table_versions (name text COLLATE "C" PRIMARY KEY, version bigint NOT NULL)',
    )
    const versions = new Map(
      (await transaction.unsafe('SELECT name, version FROM table_versions')).map((row) => [
        row['name'],
        row['version'],
      ]),
    )
    const there = new Set(
      (
        await transaction.unsafe('SELECT table_name FROM information_schema.tables WHERE table_schema = $1', [
          schema.slice(1, -1),
        ])
      ).map((row) => row['table_name'] as string),
    )
    for (const table of tables) {
      const today = tableVersion(table)
      const known = versions.get(table.name) as number | undefined
      if (known === today && there.has(table.name)) continue
      const version = known ?? 1
      if (!there.has(table.name)) await transaction.unsafe(createTableSql(table, 'postgres'))
      else for (const step of stepsFrom(table, version)) await transaction.unsafe(step)
      await transaction.unsafe(
        'INSERT INTO table_versions VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET version = excluded.version WHERE table_versions.version <> excluded.version',
        [table.name, today],
      )
    }
    const columns = await transaction.unsafe(
      'SELECT table_name, column_name AS name, data_type AS type FROM information_schema.columns WHERE table_schema = $1',
      [schema.slice(1, -1)],
    )
    for (const table of tables) {
      const found = columns.filter((row) => row['table_name'] === table.name)
      checkShape(table, found as unknown as { name: string; type: string }[])
    }
  })
}
