import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseUnits, type AccountId, type InstrumentId, type StrategyInstanceId } from '@jts/model'
import { FillLog } from './fill-log.ts'

const owner = {
  account: 'sim.backtest.main' as AccountId,
  strategy: 'dip' as StrategyInstanceId,
  instrument: 'BINANCE:BTCUSDT' as InstrumentId,
  feeCurrencies: { buy: 'BTC', sell: 'USDT' },
}
const fill = (n: number, side: 'buy' | 'sell') =>
  ({
    side,
    liquidity: side === 'buy' ? 'maker' : 'taker',
    timeUs: 1_700_000_000_000_000 + n,
    quantity: BigInt(n + 1),
    price: parseUnits('67000.01') + BigInt(n),
    fee: BigInt(n),
  }) as const

test('fills come back as they were kept, more than the columns were first made for', () => {
  const log = new FillLog()
  const at = log.addOwner(owner)
  const kept = Array.from({ length: 3000 }, (_, n) => fill(n, n % 2 === 0 ? 'buy' : 'sell'))
  kept.forEach((one, n) => log.add(at, n + 1, one))
  assert.deepEqual(
    log.toFills().map(({ side, liquidity, timeUs, quantity, price, fee }) => ({
      side,
      liquidity,
      timeUs,
      quantity,
      price,
      fee,
    })),
    kept,
  )
})

test('an amount that 64 bits do not hold is kept exactly, whatever stands beside it', () => {
  const log = new FillLog()
  const at = log.addOwner(owner)
  const quantity = parseUnits('123456789012.00000001')
  const price = 2n ** 63n
  const fee = -(2n ** 64n) - 1n
  log.add(at, 1, fill(1, 'buy'))
  log.add(at, 2, { ...fill(2, 'sell'), quantity, price, fee })
  log.add(at, 3, fill(3, 'buy'))
  const found = log.toFills()
  assert.deepEqual([found[1]!.quantity, found[1]!.price, found[1]!.fee], [quantity, price, fee])
  assert.deepEqual([found[2]!.quantity, found[2]!.fee, found[2]!.feeCurrency], [4n, 3n, 'BTC'])
})
