import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BrokerError, type MarketDataPort } from '@jts/broker-kit'
import { Activity, silentLogger, systemClock } from '@jts/runtime'
import { createPrometheusMetrics } from '@jts/runtime/metrics/prometheus'
import { guardOf } from './broker-guards.ts'
import { lightsOf } from './system.ts'

test('a broker that does not answer turns one light red, and that light alone', async () => {
  const activity = new Activity()
  const metrics = createPrometheusMetrics({ service: 'jts', mode: 'sim' })
  const parts = { activity, wallClock: systemClock, log: silentLogger, metrics }
  const shown = async (): Promise<string | undefined> =>
    /^jts_breaker_state\{(?=[^}]*breaker="binance")[^}]*state="([^"]+)"[^}]*\} 1$/m.exec(await metrics.text())?.[1]
  const guard = guardOf('binance', parts)
  assert.equal(guardOf('binance', parts), guard)
  assert.notEqual(guardOf('binance', { ...parts, activity: new Activity(), unit: 'another' }), guard)
  let isAway = true
  const source = guard.guardMarket({
    instruments: () =>
      isAway ? Promise.reject(new BrokerError('BROKER_UNAVAILABLE', 'refused')) : Promise.resolve([]),
  } as Partial<MarketDataPort> as MarketDataPort)
  const out = () => lightsOf(activity.absentees()).filter(({ state }) => state !== 'up')
  for (let i = 0; i < 4; i++) await assert.rejects(source.instruments())
  assert.deepEqual(out(), [])
  assert.equal(await shown(), 'closed')
  await assert.rejects(source.instruments())
  assert.equal(await shown(), 'open')
  const reason = 'the breaker is open: binance does not answer; no order is sent to it'
  assert.deepEqual(out(), [{ name: 'binance-service', state: 'down', reason, breaker: 'open' }])
  isAway = false
  guard.alive()
  assert.deepEqual(await source.instruments(), [])
  assert.equal(await shown(), 'closed')
  assert.deepEqual(out(), [])
})
