/**
 * What a broker service must not forget: which requests may have been sent and what became of them, the gate and the highest
 * lease and trading state of each account, and the record of settled fills. One SQLite file, each commit synced.
 */
import { randomBytes } from 'node:crypto'
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import type { FillReport, OrderReport } from '@jts/contracts/broker-api'

export type RequestKind = 'place' | 'cancel' | 'amend'
export type JournalRequest = {
  readonly account: string
  readonly requestId: string
  readonly kind: RequestKind
  /** Hash of what was asked for. */
  readonly content: string
  readonly clientOrderId: string
  readonly instrument: string
  readonly side: string
  readonly timeUs: number
}
export type JournalRow = JournalRequest & {
  /** The answer as it was given, without `repeated`; undefined while none is known. */
  readonly outcome: { readonly kind: string; readonly order?: OrderReport } | undefined
}
export type AccountRow = {
  readonly gate: 'open' | 'halted'
  readonly gateReason: string
  readonly leaseEpoch: number
  readonly tradingStateVersion: number
}

export const NEW_ACCOUNT: AccountRow = { gate: 'open', gateReason: '', leaseEpoch: 0, tradingStateVersion: 0 }
const KEPT_US = 30 * 86_400 * 1_000_000

const SCHEMA = `
  create table if not exists requests (
    account text not null, request_id text not null, kind text not null, content text not null,
    client_order_id text not null, instrument text not null, side text not null, time_us integer not null,
    outcome text, settled integer not null default 0,
    primary key (account, request_id)
  ) strict;
  create index if not exists requests_open on requests (account, settled) where settled = 0;
  create table if not exists accounts (
    account text primary key, gate text not null, gate_reason text not null,
    lease_epoch integer not null, trading_state_version integer not null
  ) strict;
  create table if not exists fills (
    account text not null, seq integer not null, instrument text not null, fill_id text not null, fill text not null,
    primary key (account, seq), unique (account, instrument, fill_id)
  ) strict;
  create table if not exists meta (name text primary key, value text not null) strict;
`

type Row = Record<string, SQLOutputValue>

export class Journal {
  /** Names this record: its cursors are no other's. */
  readonly id: string
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  /** @param file undefined keeps it in memory, for tests that do not restart. */
  constructor(file: string | undefined, nowUs: number) {
    this.#db = new DatabaseSync(file ?? ':memory:')
    this.#db.exec('pragma journal_mode = wal; pragma synchronous = full;')
    this.#db.exec(SCHEMA)
    this.#run('delete from requests where settled = 1 and time_us < ?', nowUs - KEPT_US)
    this.#run("insert or ignore into meta values ('id', ?)", randomBytes(4).toString('hex'))
    this.id = this.#get("select value from meta where name = 'id'")!['value'] as string
  }

  request(account: string, requestId: string): JournalRow | undefined {
    const row = this.#get('select * from requests where account = ? and request_id = ?', account, requestId)
    return row === undefined ? undefined : toRequest(row)
  }

  /** On disk before it returns: from now on it may have been sent. */
  begin(request: JournalRequest): void {
    const { account, requestId, kind, content, clientOrderId, instrument, side, timeUs } = request
    this.#run(
      `insert into requests (account, request_id, kind, content, client_order_id, instrument, side, time_us)
       values (?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[account, requestId, kind, content, clientOrderId, instrument, side, timeUs],
    )
  }

  /** @param settled false while the outcome is unknown. */
  end(account: string, requestId: string, outcome: object, settled: boolean): void {
    this.#run(
      'update requests set outcome = ?, settled = ? where account = ? and request_id = ?',
      ...[JSON.stringify(outcome), settled ? 1 : 0, account, requestId],
    )
  }

  /** Requests whose outcome is not known, oldest first. */
  unsettled(account: string): readonly JournalRow[] {
    return this.#all('select * from requests where account = ? and settled = 0 order by time_us', account).map(
      toRequest,
    )
  }

  instruments(account: string): readonly string[] {
    return this.#all('select distinct instrument from requests where account = ?', account).map(
      (row) => row['instrument'] as string,
    )
  }

  account(account: string): AccountRow {
    const row = this.#get('select * from accounts where account = ?', account)
    if (row === undefined) return NEW_ACCOUNT
    return {
      gate: row['gate'] as AccountRow['gate'],
      gateReason: row['gate_reason'] as string,
      leaseEpoch: Number(row['lease_epoch']),
      tradingStateVersion: Number(row['trading_state_version']),
    }
  }

  setAccount(account: string, { gate, gateReason, leaseEpoch, tradingStateVersion }: AccountRow): void {
    this.#run(
      'insert or replace into accounts values (?, ?, ?, ?, ?)',
      ...[account, gate, gateReason, leaseEpoch, tradingStateVersion],
    )
  }

  /** Adds those not known yet, in their order. */
  addFills(account: string, fills: readonly FillReport[]): void {
    if (fills.length === 0) return
    this.#db.exec('begin immediate')
    try {
      for (const fill of fills) {
        this.#run(
          `insert into fills select ?, coalesce(max(seq), 0) + 1, ?, ?, ? from fills where account = ?
           on conflict (account, instrument, fill_id) do nothing`,
          ...[account, fill.instrument, fill.fillId, JSON.stringify(fill), account],
        )
      }
      this.#db.exec('commit')
    } catch (error) {
      this.#db.exec('rollback')
      throw error
    }
  }

  fillsAfter(query: {
    readonly account: string
    readonly after: number
    readonly instrument: string | undefined
    readonly limit: number
  }): readonly { readonly seq: number; readonly fill: FillReport }[] {
    const rows = this.#all(
      `select seq, fill from fills where account = ? and seq > ? and (? is null or instrument = ?) order by seq limit ?`,
      ...[query.account, query.after, query.instrument ?? null, query.instrument ?? null, query.limit],
    )
    return rows.map((row) => ({ seq: Number(row['seq']), fill: JSON.parse(row['fill'] as string) as FillReport }))
  }

  lastSeq(account: string): number {
    return Number(this.#get('select coalesce(max(seq), 0) as seq from fills where account = ?', account)!['seq'])
  }

  /** The venue's id of the fill in this instrument that `later` others have followed. */
  fillIdBefore(account: string, instrument: string, later: number): string | undefined {
    const row = this.#get(
      'select fill_id from fills where account = ? and instrument = ? order by seq desc limit 1 offset ?',
      ...[account, instrument, later],
    )
    return row?.['fill_id'] as string | undefined
  }

  seqOf(account: string, instrument: string, fillId: string): number | undefined {
    const row = this.#get(
      'select seq from fills where account = ? and instrument = ? and fill_id = ?',
      ...[account, instrument, fillId],
    )
    return row === undefined ? undefined : Number(row['seq'])
  }

  close(): void {
    this.#db.close()
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#db.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }

  #run(sql: string, ...values: (string | number | null)[]): void {
    this.#statement(sql).run(...values)
  }

  #get(sql: string, ...values: (string | number | null)[]): Row | undefined {
    return this.#statement(sql).get(...values)
  }

  #all(sql: string, ...values: (string | number | null)[]): Row[] {
    return this.#statement(sql).all(...values)
  }
}

function toRequest(row: Row): JournalRow {
  return {
    account: row['account'] as string,
    requestId: row['request_id'] as string,
    kind: row['kind'] as RequestKind,
    content: row['content'] as string,
    clientOrderId: row['client_order_id'] as string,
    instrument: row['instrument'] as string,
    side: row['side'] as string,
    timeUs: Number(row['time_us']),
    outcome: row['outcome'] === null ? undefined : (JSON.parse(row['outcome'] as string) as JournalRow['outcome']),
  }
}
