/**
 * The durable store: one SQLite file. The exchange writes each turn as one transaction before anything leaves the process.
 * SQLite cannot raise its safety level inside a transaction, so commits run with `synchronous=NORMAL` and a durable turn
 * also syncs the write-ahead log itself.
 */
import { closeSync, existsSync, fdatasyncSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { formatUnits, parseUnits } from '@jts/model/numbers'
import type { Balance, Fill, Order } from './orders.ts'

const SCHEMA = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS market_position (id INTEGER PRIMARY KEY CHECK (id = 1), position INTEGER NOT NULL, time_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS balances (
  account INTEGER NOT NULL, asset TEXT NOT NULL, free TEXT NOT NULL, locked TEXT NOT NULL,
  PRIMARY KEY (account, asset)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (
  account INTEGER NOT NULL, id INTEGER NOT NULL, symbol TEXT NOT NULL, client_id TEXT NOT NULL, side TEXT NOT NULL,
  kind TEXT NOT NULL, time_in_force TEXT NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL, quote_quantity TEXT NOT NULL,
  status TEXT NOT NULL, executed TEXT NOT NULL, cumulative_quote TEXT NOT NULL, locked TEXT NOT NULL,
  placed_at INTEGER NOT NULL, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, tag TEXT NOT NULL,
  PRIMARY KEY (account, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS orders_symbol ON orders (account, symbol, id);
CREATE INDEX IF NOT EXISTS orders_client ON orders (account, symbol, client_id, id);
CREATE INDEX IF NOT EXISTS orders_open ON orders (account, id) WHERE status = 'open';
CREATE TABLE IF NOT EXISTS fills (
  symbol TEXT NOT NULL, id INTEGER NOT NULL, account INTEGER NOT NULL, order_id INTEGER NOT NULL, side TEXT NOT NULL,
  price TEXT NOT NULL, quantity TEXT NOT NULL, quote TEXT NOT NULL, commission TEXT NOT NULL,
  commission_asset TEXT NOT NULL, maker INTEGER NOT NULL, time_us INTEGER NOT NULL,
  PRIMARY KEY (symbol, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS fills_account ON fills (account, symbol, id);
CREATE INDEX IF NOT EXISTS fills_order ON fills (account, order_id);
`

type Row = Record<string, string | number>
/** A page of history: rows from `fromId`/`fromUs` on, oldest first, or the newest rows when neither is given. */
export type Page = {
  readonly fromId?: number
  readonly fromUs?: number
  readonly toUs?: number
  readonly orderId?: number
  readonly limit: number
}

export class Store {
  readonly #db: DatabaseSync
  readonly #walFile: string
  #wal: number | undefined
  readonly #statements = new Map<string, StatementSync>()
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #putPosition: StatementSync

  /** `directory` is made if it is not there; `:memory:` keeps everything in memory (for tests of the core). */
  constructor(directory: string) {
    const isMemory = directory === ':memory:'
    if (!isMemory) mkdirSync(directory, { recursive: true, mode: 0o700 })
    const file = isMemory ? directory : join(directory, 'exchange.db')
    this.#walFile = isMemory ? '' : `${file}-wal`
    this.#db = new DatabaseSync(file)
    // One that has just lost its parent may be writing still.
    this.#db.exec('PRAGMA busy_timeout=2000')
    this.#db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000;')
    this.#db.exec(SCHEMA)
    this.#begin = this.#db.prepare('BEGIN IMMEDIATE')
    this.#commit = this.#db.prepare('COMMIT')
    this.#putPosition = this.#db.prepare(
      'INSERT INTO market_position VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE SET position = excluded.position, time_us = excluded.time_us',
    )
  }

  close(): void {
    if (this.#wal !== undefined) closeSync(this.#wal)
    this.#wal = undefined
    this.#db.close()
  }

  /** Runs `write` as one transaction; with `durable` it is on the disk when this returns. */
  transaction(durable: boolean, write: () => void): void {
    this.#begin.run()
    try {
      write()
    } catch (error) {
      this.#db.exec('ROLLBACK')
      throw error
    }
    this.#commit.run()
    if (durable) this.#sync()
  }

  #sync(): void {
    if (this.#walFile === '') return
    if (this.#wal === undefined && existsSync(this.#walFile)) this.#wal = openSync(this.#walFile, 'r+')
    if (this.#wal !== undefined) fdatasyncSync(this.#wal)
  }

  #sql(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) this.#statements.set(sql, (statement = this.#db.prepare(sql)))
    return statement
  }

  meta(key: string): string | undefined {
    return (this.#sql('SELECT value FROM meta WHERE key = ?').get(key) as { value: string } | undefined)?.value
  }

  putMeta(key: string, value: string): void {
    this.#sql('INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value').run(key, value)
  }

  position(): { position: number; timeUs: number } {
    const row = this.#sql('SELECT position, time_us FROM market_position').get() as Row | undefined
    return { position: Number(row?.['position'] ?? 0), timeUs: Number(row?.['time_us'] ?? 0) }
  }

  putPosition(position: number, timeUs: number): void {
    this.#putPosition.run(position, timeUs)
  }

  balances(account: number): Balance[] {
    const rows = this.#sql('SELECT asset, free, locked FROM balances WHERE account = ?').all(account) as Row[]
    return rows.map((row) => ({
      asset: String(row['asset']),
      free: parseUnits(String(row['free'])),
      locked: parseUnits(String(row['locked'])),
    }))
  }

  putBalance(account: number, { asset, free, locked }: Balance): void {
    this.#sql(
      'INSERT INTO balances VALUES (?, ?, ?, ?) ON CONFLICT (account, asset) DO UPDATE SET free = excluded.free, locked = excluded.locked',
    ).run(account, asset, formatUnits(free), formatUnits(locked))
  }

  putOrder(order: Order): void {
    this.#sql(
      `INSERT INTO orders VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (account, id) DO UPDATE SET
       quantity = excluded.quantity, status = excluded.status, executed = excluded.executed,
       cumulative_quote = excluded.cumulative_quote, locked = excluded.locked, updated_us = excluded.updated_us`,
    ).run(
      order.account,
      order.id,
      order.symbol,
      order.clientId,
      order.side,
      order.kind,
      order.timeInForce,
      formatUnits(order.price),
      formatUnits(order.quantity),
      formatUnits(order.quoteQuantity),
      order.status,
      formatUnits(order.executed),
      formatUnits(order.cumulativeQuote),
      formatUnits(order.locked),
      order.placedAt,
      order.createdUs,
      order.updatedUs,
      order.tag,
    )
  }

  openOrders(): Order[] {
    return (this.#sql("SELECT * FROM orders WHERE status = 'open' ORDER BY account, id").all() as Row[]).map(toOrder)
  }

  orderCount(account: number): number {
    return Number((this.#sql('SELECT max(id) AS n FROM orders WHERE account = ?').get(account) as Row)['n'] ?? 0)
  }

  order(account: number, symbol: string, id: number): Order | undefined {
    const row = this.#sql('SELECT * FROM orders WHERE account = ? AND id = ? AND symbol = ?').get(account, id, symbol)
    return row && toOrder(row as Row)
  }

  /** The newest order of this client id: a client id may be used again once its order has ended. */
  orderByClientId(account: number, symbol: string, clientId: string): Order | undefined {
    const row = this.#sql(
      'SELECT * FROM orders WHERE account = ? AND symbol = ? AND client_id = ? ORDER BY id DESC LIMIT 1',
    ).get(account, symbol, clientId)
    return row && toOrder(row as Row)
  }

  orders(account: number, symbol: string, page: Page): Order[] {
    return this.#page('orders', 'created_us', account, symbol, page).map(toOrder)
  }

  putFill(fill: Fill): void {
    this.#sql('INSERT INTO fills VALUES (?,?,?,?,?,?,?,?,?,?,?,?)').run(
      fill.symbol,
      fill.id,
      fill.account,
      fill.orderId,
      fill.side,
      formatUnits(fill.price),
      formatUnits(fill.quantity),
      formatUnits(fill.quote),
      formatUnits(fill.commission),
      fill.commissionAsset,
      fill.maker ? 1 : 0,
      fill.timeUs,
    )
  }

  fillCount(): number {
    return Number((this.#sql('SELECT count(*) AS n FROM fills').get() as Row)['n'])
  }

  lastFillId(symbol: string): number {
    return Number((this.#sql('SELECT max(id) AS n FROM fills WHERE symbol = ?').get(symbol) as Row)['n'] ?? 0)
  }

  fills(account: number, symbol: string, page: Page): Fill[] {
    return this.#page('fills', 'time_us', account, symbol, page).map(toFill)
  }

  #page(table: 'orders' | 'fills', timeColumn: string, account: number, symbol: string, page: Page): Row[] {
    let where = 'account = ? AND symbol = ?'
    const values: SQLInputValue[] = [account, symbol]
    const add = (condition: string, value: number | undefined) => {
      if (value === undefined) return
      where += ` AND ${condition}`
      values.push(value)
    }
    add('id >= ?', page.fromId)
    add('order_id = ?', page.orderId)
    add(`${timeColumn} >= ?`, page.fromUs)
    add(`${timeColumn} <= ?`, page.toUs)
    const isForward = page.fromId !== undefined || page.fromUs !== undefined
    const sql = `SELECT * FROM ${table} WHERE ${where} ORDER BY id ${isForward ? 'ASC' : 'DESC'} LIMIT ?`
    const rows = this.#sql(sql).all(...values, page.limit) as Row[]
    return isForward ? rows : rows.reverse()
  }
}

function toOrder(row: Row): Order {
  return {
    account: Number(row['account']),
    id: Number(row['id']),
    symbol: String(row['symbol']),
    clientId: String(row['client_id']),
    side: row['side'] as Order['side'],
    kind: row['kind'] as Order['kind'],
    timeInForce: row['time_in_force'] as Order['timeInForce'],
    price: parseUnits(String(row['price'])),
    quantity: parseUnits(String(row['quantity'])),
    quoteQuantity: parseUnits(String(row['quote_quantity'])),
    status: row['status'] as Order['status'],
    executed: parseUnits(String(row['executed'])),
    cumulativeQuote: parseUnits(String(row['cumulative_quote'])),
    locked: parseUnits(String(row['locked'])),
    placedAt: Number(row['placed_at']),
    createdUs: Number(row['created_us']),
    updatedUs: Number(row['updated_us']),
    tag: String(row['tag']),
  }
}

function toFill(row: Row): Fill {
  return {
    symbol: String(row['symbol']),
    id: Number(row['id']),
    account: Number(row['account']),
    orderId: Number(row['order_id']),
    side: row['side'] as Fill['side'],
    price: parseUnits(String(row['price'])),
    quantity: parseUnits(String(row['quantity'])),
    quote: parseUnits(String(row['quote'])),
    commission: parseUnits(String(row['commission'])),
    commissionAsset: String(row['commission_asset']),
    maker: row['maker'] === 1,
    timeUs: Number(row['time_us']),
  }
}
