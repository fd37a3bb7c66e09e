/**
 * Who lives and who owns what, as rows tell it. Living replicas of a service say so here again and again; a unit's row names
 * its owner and where it answers. Nothing here decides: a unit is taken by its epoch alone.
 */
import type { Sql } from 'postgres'
import { migrate } from './postgres-connection.ts'
import { sharedSchemaName } from './postgres-schema.ts'

export type Owned = {
  readonly unit: string
  readonly owner: string
  readonly address: string
  readonly epoch: number
  readonly sinceUs: number
}

export type Living = {
  readonly service: string
  readonly replica: string
  readonly address: string
  readonly sinceUs: number
}

export type Heard = {
  /** Living ones, by name. */
  readonly replicas: readonly string[]
  readonly owners: ReadonlyMap<string, { readonly owner: string; readonly isLeased: boolean }>
}

const ALIVE_MS = 3000
/** Two questions about the owners are at least this far apart. */
const LOOK_EVERY_MS = 50

export class UnitTable {
  readonly #sql: Sql
  readonly #namespace: string
  readonly #shared: string
  readonly #aliveMs: number
  #addresses = new Map<string, string>()
  #looking: Promise<void> | undefined
  #lookedMs = 0

  constructor(sql: Sql, namespace: string, { aliveMs = ALIVE_MS }: { readonly aliveMs?: number } = {}) {
    this.#sql = sql
    this.#namespace = namespace
    this.#shared = sharedSchemaName(namespace)
    this.#aliveMs = aliveMs
  }

  /** Brings the schema to today's version. */
  async prepare(): Promise<void> {
    await migrate(this.#sql, this.#namespace)
  }

  /** `topic/partition` → the offset below which every group of every unit has handled it; none where nobody reads it. */
  async handled(): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#sql.unsafe(
      `SELECT topic, partition, min(next) AS next FROM ${this.#shared}.offsets GROUP BY topic, partition`,
    )
    return new Map(rows.map((row) => [`${row['topic']}/${row['partition']}`, row['next'] as number]))
  }

  /** Says that this replica lives, and returns who else of the service does, with the last owner of every unit. */
  async beat(replica: Omit<Living, 'sinceUs'>): Promise<Heard> {
    const { service, replica: name, address } = replica
    await this.#sql.unsafe(
      `INSERT INTO ${this.#shared}.replicas AS r (service, replica, address, since, alive_until)
         VALUES ($1, $2, $3, now(), now() + $4 * interval '1 millisecond')
         ON CONFLICT (service, replica) DO UPDATE SET address = excluded.address, alive_until = excluded.alive_until,
           since = CASE WHEN r.address = excluded.address THEN r.since ELSE excluded.since END`,
      [service, name, address, this.#aliveMs],
    )
    const living = (await this.living()).filter((one) => one.service === service)
    const rows = await this.#sql.unsafe(
      `SELECT unit, owner, lease_until > now() AS is_leased FROM ${this.#shared}.units`,
    )
    return {
      replicas: living.map((one) => one.replica).sort(),
      owners: new Map(
        rows.map((row) => [
          row['unit'] as string,
          { owner: row['owner'] as string, isLeased: row['is_leased'] as boolean },
        ]),
      ),
    }
  }

  /** A replica that ends says so: the others need not wait. */
  async leave(service: string, replica: string): Promise<void> {
    await this.#sql.unsafe(`DELETE FROM ${this.#shared}.replicas WHERE service = $1 AND replica = $2`, [
      service,
      replica,
    ])
  }

  async living(): Promise<Living[]> {
    const rows = await this.#sql.unsafe(
      `SELECT service, replica, address, (extract(epoch FROM since) * 1000000)::bigint AS since_us
         FROM ${this.#shared}.replicas WHERE alive_until > now() ORDER BY service, replica`,
    )
    return rows.map((row) => ({
      service: row['service'] as string,
      replica: row['replica'] as string,
      address: row['address'] as string,
      sinceUs: row['since_us'] as number,
    }))
  }

  /** Units whose owner holds a lease. */
  async owned(): Promise<Owned[]> {
    const rows = await this.#sql.unsafe(
      `SELECT unit, owner, address, epoch, (extract(epoch FROM since) * 1000000)::bigint AS since_us
         FROM ${this.#shared}.units WHERE lease_until > now() ORDER BY unit`,
    )
    return rows.map((row) => ({
      unit: row['unit'] as string,
      owner: row['owner'] as string,
      address: row['address'] as string,
      epoch: row['epoch'] as number,
      sinceUs: row['since_us'] as number,
    }))
  }

  addressOf(unit: string): string | undefined {
    return this.#addresses.get(unit)
  }

  refresh(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined))
    return this.#looking
  }

  async #look(): Promise<void> {
    const restMs = this.#lookedMs + LOOK_EVERY_MS - performance.now()
    if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs))
    try {
      const owned = await this.owned()
      this.#addresses = new Map(owned.filter(({ address }) => address !== '').map((one) => [one.unit, one.address]))
    } catch {
      // A database that is away leaves what was known: the owners may well be where they were.
    }
    this.#lookedMs = performance.now()
  }
}
