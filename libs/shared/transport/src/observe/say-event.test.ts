import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NewEvent } from '@jts/contracts'
import { createLogger } from '@jts/runtime'
import { eventSayer } from './say-event.ts'

const signal: NewEvent = {
  type: 'SignalExpired',
  stream: 'sim.binance.main',
  account: 'sim.binance.main',
  correlationId: 'candle/1',
  causationId: 'c',
  timeEventUs: 1,
  payload: {
    terms: {
      ref: {
        orderId: 'order-1',
        signalId: 'signal-1',
        strategy: 'ema',
        instrument: 'BINANCE:BTCUSDT',
        side: 'buy',
      },
    },
    reasonCode: 'TOO_LATE',
    reason: 'the approval has ended',
  },
} as unknown as NewEvent

function said(level: string, topic: Parameters<NonNullable<ReturnType<typeof eventSayer>>>[0]): unknown[] {
  const lines: string[] = []
  const log = createLogger({ name: 'jts', mode: 'sim', level }, (line) => void lines.push(line))
  eventSayer(log)?.(topic, signal)
  return lines.map((line) => {
    const { time: _, ...rest } = JSON.parse(line) as Record<string, unknown>
    return rest
  })
}

test('a step of an order is one line, under the names by which a person looks for it', () => {
  assert.deepEqual(said('info', 'orders.events'), [
    {
      level: 'info',
      mode: 'sim',
      name: 'jts',
      service: 'order-execution',
      account: 'sim.binance.main',
      correlationId: 'candle/1',
      orderId: 'order-1',
      signalId: 'signal-1',
      strategy: 'ema',
      instrument: 'BINANCE:BTCUSDT',
      reasonCode: 'TOO_LATE',
      reason: 'the approval has ended',
      msg: 'SignalExpired',
    },
  ])
})

test('the copy of an event on a second topic is not said again', () => {
  assert.deepEqual(said('info', 'orders.fills'), [])
})

test('where nobody reads such lines there is nobody who says them', () => {
  const log = createLogger({ name: 'jts', level: 'warn' }, () => undefined)
  assert.equal(eventSayer(log), undefined)
})
