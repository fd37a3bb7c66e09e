/**
 * Tables as data: one definition gives the row's type, the DDL and the statements, in SQL that SQLite and PostgreSQL share.
 * Amounts are canonical decimal text; times are int64 microseconds.
 */
export type Column = 'text' | 'integer' | 'real' | 'text?' | 'integer?' | 'real?'
export type Row = Record<string, string | number | null>

type TypeOf<C extends Column> = C extends 'text'
  ? string
  : C extends 'integer' | 'real'
    ? number
    : C extends 'text?'
      ? string | null
      : number | null

export type RowOf<C extends Record<string, Column>> = { [K in keyof C]: TypeOf<C[K]> }

export type Table<R extends Row> = {
  readonly name: string
  readonly columns: readonly string[]
  readonly types: readonly Column[]
  readonly key: readonly string[]
  /** Steps from the first shape that was ever released to today's: see `migrations.ts`. */
  readonly migrations?: readonly string[]
  /** Only for the type: a table of these rows. */
  readonly row?: R
}

const NAME = /^[a-z][a-z0-9_]*$/

/**
 * @param name prefixed with the service, for example `risk_reservations`.
 * @param migrations one more step for each change of a shape that was released; never edited afterwards.
 */
export function defineTable<const C extends Record<string, Column>>(
  name: string,
  columns: C,
  key: readonly (keyof C & string)[],
  migrations: readonly string[] = [],
): Table<RowOf<C>> {
  const names = Object.keys(columns)
  for (const word of [name, ...names]) {
    if (!NAME.test(word)) throw new Error(`expected a snake_case SQL name, found ${JSON.stringify(word)}`)
  }
  return { name, columns: names, types: names.map((column) => columns[column]!), key, migrations }
}

/** The SQL types of a column on each engine; text is compared byte by byte on both, so that rows come in one order. */
const SQL_TYPES = {
  sqlite: { text: 'TEXT', integer: 'INTEGER', real: 'REAL' },
  postgres: { text: 'text COLLATE "C"', integer: 'bigint', real: 'double precision' },
} as const
export type Engine = keyof typeof SQL_TYPES

export function baseType(column: Column): 'text' | 'integer' | 'real' {
  return (column.endsWith('?') ? column.slice(0, -1) : column) as 'text' | 'integer' | 'real'
}

/** `name type` of each column, without constraints. */
export function columnTypes(table: Table<never>, engine: Engine): string[] {
  return table.columns.map((column, i) => `${column} ${SQL_TYPES[engine][baseType(table.types[i]!)]}`)
}

/** @param name the table's name where it is not its own: qualified by a schema. */
export function createTableSql(table: Table<never>, engine: Engine = 'sqlite', name: string = table.name): string {
  const columns = columnTypes(table, engine).map(
    (column, i) => `${column}${table.types[i]!.endsWith('?') ? '' : ' NOT NULL'}`,
  )
  const sql = `CREATE TABLE IF NOT EXISTS ${name} (${columns.join(', ')}, PRIMARY KEY (${table.key.join(', ')}))`
  return engine === 'sqlite' ? `${sql} WITHOUT ROWID` : sql
}

/** What an insert does where the key is there already. */
export function onConflictSql(table: Table<never>): string {
  const rest = table.columns.filter((column) => !table.key.includes(column))
  const update = rest.length === 0 ? 'NOTHING' : `UPDATE SET ${rest.map((c) => `${c} = excluded.${c}`).join(', ')}`
  return `ON CONFLICT (${table.key.join(', ')}) DO ${update}`
}

export function upsertSql(table: Table<never>): string {
  const marks = table.columns.map(() => '?').join(', ')
  return `INSERT INTO ${table.name} (${table.columns.join(', ')}) VALUES (${marks}) ${onConflictSql(table)}`
}

export function removeSql(table: Table<never>): string {
  return `DELETE FROM ${table.name} WHERE ${table.key.map((column) => `${column} = ?`).join(' AND ')}`
}

export function allSql(table: Table<never>, name: string = table.name): string {
  return `SELECT ${table.columns.join(', ')} FROM ${name} ORDER BY ${table.key.join(', ')}`
}

/** @param markOf what stands for the n-th value, from 1 on: an engine's own spelling. */
export function lastSql(
  table: Table<never>,
  { by, count, where }: { readonly by: string; readonly count: number; readonly where: object },
  { name = table.name, markOf }: { readonly name?: string; readonly markOf: (n: number) => string },
): string {
  const conditions = Object.keys(where).map((column, i) => `${column} = ${markOf(i + 1)}`)
  const filter = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  const order = [by, ...table.key].map((column) => `${column} DESC`).join(', ')
  return `SELECT ${table.columns.join(', ')} FROM ${name}${filter} ORDER BY ${order} LIMIT ${count}`
}
