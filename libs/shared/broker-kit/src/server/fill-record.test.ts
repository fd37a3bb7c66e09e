import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { instrumentId, parseUnits, type VenueOrderId } from '@jts/model'
import type { BrokerPort, FillReport } from '../port.ts'
import { FillRecordBook } from './fill-record.ts'
import { Journal } from './journal.ts'

const BTC = instrumentId('BINANCE:BTCUSDT')

function trade(id: number): FillReport {
  return {
    venueOrderId: '1' as VenueOrderId,
    instrument: BTC,
    tradeId: String(id),
    side: 'buy',
    quantity: parseUnits('1'),
    price: parseUnits('100'),
    fee: 0n,
    feeCurrency: 'USDT',
    liquidity: 'taker',
    timeUs: id,
  }
}

test('the record has a trade that the list showed after a later one, in the order in which they were seen', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'jts-fill-record-'))
  const journal = new Journal(join(folder, 'journal.sqlite'), 0)
  try {
    const shown = [101]
    const asked: (string | undefined)[] = []
    const broker: Pick<BrokerPort, 'fills'> = {
      fills: ({ afterTradeId }) => {
        asked.push(afterTradeId)
        return Promise.resolve(shown.filter((id) => id > Number(afterTradeId ?? 0)).map(trade))
      },
    }
    const book = new FillRecordBook('sim.binance.main', broker as BrokerPort, journal, [BTC])
    const read = async (limit = 1000): Promise<string[]> =>
      (await book.page({ instrument: BTC, limit })).fills.map(({ fillId }) => fillId)
    assert.deepEqual(await read(), ['101'])
    shown.push(103)
    assert.deepEqual(await read(), ['101', '103'])
    shown.splice(1, 0, 102)
    assert.deepEqual(await read(), ['101', '103', '102'])
    for (let id = 104; id <= 300; id++) shown.push(id)
    assert.equal((await read()).length, 200)
    await read()
    assert.equal(asked.at(-1), '200', 'no further back than needed')
  } finally {
    journal.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
