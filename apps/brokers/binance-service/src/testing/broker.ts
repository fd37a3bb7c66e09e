import type { PlaceOrderIntent } from '@jts/broker-kit'
import { accountId, instrumentId, parseUnits, type ClientOrderId } from '@jts/model'
import { silentLogger, systemClock } from '@jts/runtime'
import { createBinanceBroker, type BinanceBroker, type BinanceBrokerOptions } from '../broker.ts'
import type { BinanceEndpoints } from '../config.ts'

export const BTCUSDT = instrumentId('BINANCE:BTCUSDT')

export function testBroker(endpoints: BinanceEndpoints, options: Partial<BinanceBrokerOptions> = {}): BinanceBroker {
  return createBinanceBroker({
    account: accountId('sim.binance.main'),
    endpoints,
    credentials: { apiKey: 'test-key', apiSecret: 'test-secret' },
    wallClock: systemClock,
    log: silentLogger,
    ...options,
  })
}

export function marketBuy(change: Partial<PlaceOrderIntent> = {}): PlaceOrderIntent {
  const nowUs = systemClock.nowUs()
  return {
    clientOrderId: 'order-1' as ClientOrderId,
    instrument: BTCUSDT,
    side: 'buy',
    type: 'market',
    quantity: parseUnits('0.03'),
    intentTimeUs: nowUs,
    sendBeforeUs: nowUs + 30_000_000,
    ...change,
  }
}
