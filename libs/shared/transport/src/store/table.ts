/**
 * Tables as data: one definition gives the row's type, the DDL and the statements, in SQL that SQLite and PostgreSQL share.
 * Amounts are canonical decimal text; times are int64 microseconds.
 */
export type Column = 'text' | 'integer' | 'real' | 'blob' | 'text?' | 'integer?' | 'real?' | 'blob?'
export type Row = Record<string, string | number | Uint8Array | null>

type TypeOf<C extends Column> = C extends 'text'
  ? string
  : C extends 'integer' | 'real'
    ? number
    : C extends 'blob'
      ? Uint8Array
      : C extends 'text?'
        ? string | null
        : C extends 'integer?' | 'real?'
          ? number | null
          : Uint8Array | null

export type RowOf<C extends Record<string, Column>> = { [K in keyof C]: TypeOf<C[K]> }

export type Table<R extends Row> = {
  readonly name: string
  readonly columns: readonly string[]
  readonly types: readonly Column[]
  readonly key: readonly string[]
  /** Only for the type: a table of these rows. */
  readonly row?: R
}

const NAME = /^[a-z][a-z0-9_]*$/

/** @param name prefixed with the service, for example `risk_reservations`. */
export function defineTable<const C extends Record<string, Column>>(
  name: string,
  columns: C,
  key: readonly (keyof C & string)[],
): Table<RowOf<C>> {
  const names = Object.keys(columns)
  for (const word of [name, ...names]) {
    if (!NAME.test(word)) throw new Error(`expected a snake_case SQL name, found ${JSON.stringify(word)}`)
  }
  return { name, columns: names, types: names.map((column) => columns[column]!), key }
}

const SQLITE_TYPES: Record<string, string> = { text: 'TEXT', integer: 'INTEGER', real: 'REAL', blob: 'BLOB' }

export function createTableSql(table: Table<never>): string {
  const columns = table.columns.map((column, i) => {
    const type = table.types[i]!
    const optional = type.endsWith('?')
    const sql = SQLITE_TYPES[optional ? type.slice(0, -1) : type]!
    return `${column} ${sql}${optional ? '' : ' NOT NULL'}`
  })
  return `CREATE TABLE IF NOT EXISTS ${table.name} (${columns.join(', ')}, PRIMARY KEY (${table.key.join(', ')})) WITHOUT ROWID`
}

export function upsertSql(table: Table<never>): string {
  const rest = table.columns.filter((column) => !table.key.includes(column))
  const marks = table.columns.map(() => '?').join(', ')
  const update = rest.length === 0 ? 'NOTHING' : `UPDATE SET ${rest.map((c) => `${c} = excluded.${c}`).join(', ')}`
  return `INSERT INTO ${table.name} (${table.columns.join(', ')}) VALUES (${marks}) ON CONFLICT (${table.key.join(', ')}) DO ${update}`
}

export function removeSql(table: Table<never>): string {
  return `DELETE FROM ${table.name} WHERE ${table.key.map((column) => `${column} = ?`).join(' AND ')}`
}

export function allSql(table: Table<never>): string {
  return `SELECT ${table.columns.join(', ')} FROM ${table.name} ORDER BY ${table.key.join(', ')}`
}
