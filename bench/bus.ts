/** Appends to the embedded bus (envelope, sequence, offset, handler) against bare inserts of the same bytes into SQLite. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { encodeEvent, type NewEvent } from '@jts/contracts'
import { Activity, silentLogger } from '@jts/runtime'
import { EmbeddedBus, SqliteStore } from '@jts/transport'

export type BusBench = {
  readonly events: number
  readonly busPerSecond: number
  readonly rawPerSecond: number
  readonly ratioToRaw: number
}

const PER_TURN = 100

export function benchCandle(n: number): NewEvent {
  return {
    type: 'Candle',
    stream: 'BINANCE:BTCUSDT',
    correlationId: `candle/${n}`,
    causationId: '',
    timeEventUs: n,
    payload: {
      instrument: 'BINANCE:BTCUSDT',
      timeframe: '1m',
      openTimeUs: n,
      closeTimeUs: n + 1,
      open: 1,
      high: 2,
      low: 0.5,
      close: 1.5,
      volume: 3,
      final: true,
      revision: 0,
      source: 'bench',
    },
  }
}

export async function benchBus(events = 100_000): Promise<BusBench> {
  const folder = mkdtempSync(join(tmpdir(), 'jts-bench-'))
  try {
    const activity = new Activity()
    const fatal = (reason: string, cause: unknown): never => {
      throw new Error(reason, { cause })
    }
    const store = new SqliteStore({ file: join(folder, 'bus.sqlite'), log: silentLogger, activity, fatal })
    const bus = new EmbeddedBus({ store, log: silentLogger, activity, fatal })
    let handled = 0
    bus.subscribe({ group: 'bench', topics: ['market-data.binance.candles'], handle: () => void handled++ })
    await bus.start()
    let begun = performance.now()
    for (let n = 0; n < events;) {
      for (let i = 0; i < PER_TURN; i++) {
        const one = benchCandle(n++)
        store.transact((turn) => turn.publish('market-data.binance.candles', one))
      }
      await activity.whenIdle()
    }
    const busPerSecond = events / ((performance.now() - begun) / 1000)
    if (handled !== events) throw new Error(`expected ${events} events handled, found ${handled}`)
    await store.close()

    const raw = new DatabaseSync(join(folder, 'raw.sqlite'))
    raw.exec(
      'PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE log (id INTEGER PRIMARY KEY, event BLOB)',
    )
    const insert = raw.prepare('INSERT INTO log (id, event) VALUES (?, ?)')
    const bytes = encodeEvent(benchCandle(0), 'id', 1)
    begun = performance.now()
    for (let n = 0; n < events;) {
      raw.exec('BEGIN')
      for (let i = 0; i < PER_TURN; i++) insert.run(n++, bytes)
      raw.exec('COMMIT')
    }
    const rawPerSecond = events / ((performance.now() - begun) / 1000)
    raw.close()
    return { events, busPerSecond, rawPerSecond, ratioToRaw: busPerSecond / rawPerSecond }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
