/** A service that cannot take an event of an order: its account only reduces, a light is out, and a person's resume has it try again. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { encodeEvent, eventIdOf, type NewEvent } from '@jts/contracts'
import { accountId, shippedInstrument } from '@jts/model'
import { silentLogger } from '@jts/runtime'
import { OFFSET_SPAN } from '@jts/transport'
import { systemOf } from './system.ts'
import { createTrader } from './trader.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-log-stops-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const ACCOUNT = accountId('sim.binance.main')
const OTHER = accountId('sim.binance.other')
const about = { stream: ACCOUNT, account: ACCOUNT, correlationId: 'c', causationId: '', timeEventUs: 1 }
const balance = (amount: string): NewEvent => ({
  ...about,
  type: 'OpeningBalance',
  payload: { balances: [{ currency: 'USDT', amount }] },
})

test('a poison event of an order in one process: reducing, a light, and read again when a person resumes', async () => {
  const trader = createTrader({
    mode: 'sim',
    endpoints: { rest: 'http://127.0.0.1:1', streams: 'ws://127.0.0.1:1', wsApi: 'ws://127.0.0.1:1/ws-api/v3' },
    accounts: [ACCOUNT, OTHER].map((account) => ({ account, apiKey: 'key', apiSecret: 'secret' })),
    instances: [],
    instruments: [shippedInstrument('BINANCE:BTCUSDT')],
    limits: {},
    runId: 'log-stops',
    replay: false,
    sendWindowUs: 2_000_000,
    dataDir: folder,
    log: silentLogger,
    fatal: (reason, cause) => {
      throw new Error(reason, { cause })
    },
  })
  const system = systemOf(trader)
  await trader.risk.start()
  await trader.portfolio.start()
  await trader.execution.restore()
  await trader.bus.start()
  const settled = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
    await trader.store.durable()
  }
  const states = (): string[] => [ACCOUNT, OTHER].map((account) => trader.execution.tradingState(account))
  const out = (): string[] =>
    system.lights().flatMap(({ name, reason }) => (reason === undefined ? [] : [`${name}: ${reason}`]))

  trader.store.transact((turn) => turn.publish('orders.events', balance('not a number')))
  await settled()
  assert.deepEqual(states(), ['reducing', 'active'])
  const lights = out()
  assert.equal(lights.length, 2, 'risk and the portfolio read it')
  for (const light of lights)
    assert.match(
      light,
      /^(risk-management|portfolio-tracker): it stands still in orders.events at orders.events\/sim.binance.main\/1/,
    )

  const refused = await system.orders.resume({ account: '', by: 'a person' })
  await settled()
  assert.match(refused.message, /portfolio-tracker: it stands still .*; its accounts only reduce/)
  assert.deepEqual(states(), ['reducing', 'active'])

  // Mended: what the log holds there can be read now.
  const id = eventIdOf('orders.events', ACCOUNT, 1)
  const [place] = trader.store.database
    .prepare('SELECT log FROM bus_partitions WHERE topic = ? AND partition = ?')
    .all('orders.events', trader.bus.stops()[0]!.partition)
  const row = trader.store.database.prepare('SELECT id FROM bus_log WHERE id >= ? ORDER BY id LIMIT 1')
  const at = row.get((place!['log'] as number) * OFFSET_SPAN)!['id'] as number
  trader.store.database.prepare('UPDATE bus_log SET event = ? WHERE id = ?').run(encodeEvent(balance('5'), id, 1), at)
  const resumed = await system.orders.resume({ account: '', by: 'a person' })
  await settled()
  assert.equal(resumed.message, '')
  assert.deepEqual(states(), ['active', 'active'])
  assert.deepEqual(out(), [])
  const { accounts } = await system.portfolio.getCurrentPortfolio({ account: ACCOUNT })
  assert.deepEqual(accounts[0]!.cash, [{ currency: 'USDT', amount: '5' }])
  await trader.stop()
})
