import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OrderRequest } from '@jts/exchange'
import { shippedInstrument } from '@jts/model/instruments'
import { parseUnits } from '@jts/model/numbers'
import { checkFilters } from './filters.ts'

const BTC = { ...shippedInstrument('BINANCE:BTCUSDT'), marketQuantityMax: parseUnits('100') }

test('an order passes every filter or is refused by the first it fails', () => {
  const cases: [OrderRequest['kind'], string, string, string, string][] = [
    // kind, price, quantity, quote quantity, filter
    ['limit', '100', '1', '0', 'ok'],
    ['limit', '0', '1', '0', 'PRICE_FILTER'],
    ['limit', '100.001', '1', '0', 'PRICE_FILTER'],
    ['limit', '1000000.01', '1', '0', 'PRICE_FILTER'],
    ['limit', '500', '1', '0', 'ok'],
    ['limit', '500.01', '1', '0', 'PERCENT_PRICE_BY_SIDE'],
    ['limit', '20', '1', '0', 'ok'],
    ['limit', '19.99', '1', '0', 'PERCENT_PRICE_BY_SIDE'],
    ['limit', '100', '0', '0', 'LOT_SIZE'],
    ['limit', '100', '0.000001', '0', 'LOT_SIZE'],
    ['limit', '100', '0.100001', '0', 'LOT_SIZE'],
    ['limit', '100', '9000001', '0', 'LOT_SIZE'],
    ['limit', '100', '0.05', '0', 'ok'],
    ['limit', '100', '0.04999', '0', 'NOTIONAL'],
    ['limit', '100', '90001', '0', 'NOTIONAL'],
    ['market', '0', '0.05', '0', 'ok'],
    ['market', '0', '0.04999', '0', 'NOTIONAL'],
    ['market', '0', '100.00001', '0', 'MARKET_LOT_SIZE'],
    ['market', '0', '0', '5', 'ok'],
    ['market', '0', '0', '4.99', 'NOTIONAL'],
  ]
  for (const [kind, price, quantity, quoteQuantity, expected] of cases) {
    const order: OrderRequest = {
      symbol: 'BTCUSDT',
      side: 'buy',
      kind,
      timeInForce: 'gtc',
      price: parseUnits(price),
      quantity: parseUnits(quantity),
      quoteQuantity: parseUnits(quoteQuantity),
    }
    const check = () => checkFilters(order, BTC, parseUnits('100'))
    const what = `${kind} ${price} ${quantity} ${quoteQuantity}`
    if (expected === 'ok') assert.doesNotThrow(check, what)
    else assert.throws(check, { code: -1013, message: `Filter failure: ${expected}` }, what)
  }
})
