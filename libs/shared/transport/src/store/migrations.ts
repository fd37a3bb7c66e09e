/**
 * How a table comes from the shape of an older JTS to today's: by the steps that its definition lists, in order, each once.
 * Each database says of every table which version it holds; a table without that word was made before there were versions,
 * and holds the first.
 *
 * A step is SQL that SQLite and PostgreSQL both take, with the types TEXT, BIGINT and DOUBLE PRECISION. All steps of a table and
 * its new version are one transaction.
 */
import { baseType, type Table } from './table.ts'

/** The version of today's shape. */
export function tableVersion(table: Table<never>): number {
  return 1 + (table.migrations?.length ?? 0)
}

/** The steps from a version that was found. @throws Error when a newer JTS has written it */
export function stepsFrom(table: Table<never>, version: number): readonly string[] {
  const today = tableVersion(table)
  if (version > today) {
    throw new Error(
      `expected table ${table.name} of version ${today} or older, found ${version}: it was written by a newer JTS; run that version, or a newer one`,
    )
  }
  return (table.migrations ?? []).slice(version - 1)
}

const KINDS: Readonly<Record<string, string>> = {
  TEXT: 'text',
  INTEGER: 'integer',
  BIGINT: 'integer',
  REAL: 'real',
  'DOUBLE PRECISION': 'real',
}

/** @throws Error when the columns are not today's: a change of shape without a step, or a step with a slip */
export function checkShape(
  table: Table<never>,
  found: readonly { readonly name: string; readonly type: string }[],
): void {
  const expected = table.columns.map((column, i) => `${column} ${baseType(table.types[i]!)}`).sort()
  // A type that no step may use is shown as it is.
  const shape = found.map(({ name, type }) => `${name} ${KINDS[type.toUpperCase()] ?? type}`).sort()
  if (shape.join() === expected.join()) return
  throw new Error(
    `expected table ${table.name} with columns ${expected.join(', ')}, found ${shape.join(', ')}: its definition has no migration from that shape`,
  )
}
