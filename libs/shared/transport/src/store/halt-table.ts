/**
 * Halts that a person has said and that a unit has not taken into its own rows yet. They are written before anybody is told of
 * them, so that one that is dead, or has not opened its unit yet, finds them when it does.
 */
import type { Sql } from 'postgres'
import { sharedSchemaName } from './postgres-schema.ts'

export type SaidHalt = {
  /** Empty: everything. */
  readonly account: string
  /** Empty: every strategy. */
  readonly strategy: string
  /** `halted` or `reducing`. */
  readonly state: string
  readonly reason: string
  readonly by: string
}

export class HaltTable {
  readonly #sql: Sql
  readonly #halts: string

  /** The schema is there: see `UnitTable.prepare`. */
  constructor(sql: Sql, namespace: string) {
    this.#sql = sql
    this.#halts = `${sharedSchemaName(namespace)}.halts`
  }

  /** All of them or none. */
  async write(units: readonly string[], { account, strategy, state, reason, by }: SaidHalt): Promise<void> {
    await this.#sql.unsafe(
      `INSERT INTO ${this.#halts} (unit, account, strategy, state, reason, said_by)
        SELECT unit, $2, $3, $4, $5, $6 FROM unnest($1::text[]) AS u(unit)`,
      [[...units], account, strategy, state, reason, by],
    )
  }

  async of(unit: string): Promise<readonly (SaidHalt & { readonly number: number })[]> {
    const rows = await this.#sql.unsafe(
      `SELECT number, account, strategy, state, reason, said_by FROM ${this.#halts} WHERE unit = $1 ORDER BY number`,
      [unit],
    )
    return rows.map((row) => ({
      number: row['number'] as number,
      account: row['account'] as string,
      strategy: row['strategy'] as string,
      state: row['state'] as string,
      reason: row['reason'] as string,
      by: row['said_by'] as string,
    }))
  }

  /** It is in the unit's own rows. */
  async taken(number: number): Promise<void> {
    await this.#sql.unsafe(`DELETE FROM ${this.#halts} WHERE number = $1`, [number])
  }

  /** A person has lifted it before the unit has heard of it. */
  async lift(units: readonly string[], { account, strategy }: Pick<SaidHalt, 'account' | 'strategy'>): Promise<void> {
    await this.#sql.unsafe(
      `DELETE FROM ${this.#halts} WHERE unit = ANY($1::text[]) AND account = $2 AND strategy = $3`,
      [[...units], account, strategy],
    )
  }
}
