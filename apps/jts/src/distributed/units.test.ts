import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountId, shippedInstrument, strategyInstanceId } from '@jts/model'
import type { RunSettings } from '../services.ts'
import { SERVICE_NAMES, type ServiceName } from './service-names.ts'
import { instrumentId } from '@jts/model'
import { unitOfAccount, unitOfBroker, unitsOf } from './units.ts'

const accounts = ['main', 'second'].map((name) => ({
  account: accountId(`sim.binance.${name}`),
  apiKey: '',
  apiSecret: '',
}))
const instance = (name: string, account: number, symbol: string) => ({
  instance: strategyInstanceId(name),
  definition: undefined as never,
  parameters: {},
  account: accounts[account]!.account,
  instrument: shippedInstrument(`BINANCE:${symbol}`),
  timeframe: '1m',
})
const settings: RunSettings = {
  mode: 'sim',
  endpoints: { rest: '', streams: '', wsApi: '' },
  accounts,
  instances: [instance('a', 0, 'BTCUSDT'), instance('b', 1, 'BTCUSDT'), instance('c', 0, 'ETHUSDT')],
  instruments: [],
  limits: {},
  runId: 'run',
  replay: false,
  sendWindowUs: 1,
}
const names = (service: ServiceName, of = settings): string[] => unitsOf(service, of).map((unit) => unit.name)

test('orders and ledgers are by account, each with its account alone', () => {
  for (const service of ['order-execution', 'portfolio-tracker'] as const) {
    assert.deepEqual(names(service), [`${service}.sim.binance.main`, `${service}.sim.binance.second`])
    for (const unit of unitsOf(service, settings)) {
      assert.equal(unit.settings.accounts.length, 1)
      assert.equal(unit.name, unitOfAccount(service, unit.settings.accounts[0]!.account))
      assert.deepEqual(Object.values(unit.streams), [[unit.settings.accounts[0]!.account]])
    }
  }
})

test('a broker service holds each credential alone, and the market data beside them', () => {
  const units = unitsOf('binance-service', settings)
  const { main, second } = { main: 'sim.binance.main', second: 'sim.binance.second' }
  assert.deepEqual(
    units.map((unit) => [unit.name, unit.settings.accounts.map(({ account }) => account as string)]),
    [
      [unitOfBroker(main), [main]],
      [unitOfBroker(second), [second]],
      [unitOfBroker(undefined), []],
    ],
  )
  const atCreon = { account: accountId('sim.creon.krx'), apiKey: '', apiSecret: '' }
  assert.deepEqual(names('binance-service', { ...settings, accounts: [atCreon], instances: [] }), [])
})

test('strategies are by instance; in a replay those of one instrument stay together', () => {
  assert.deepEqual(
    names('strategy-engine'),
    ['a', 'b', 'c'].map((name) => `strategy-engine.${name}`),
  )
  const replay = unitsOf('strategy-engine', { ...settings, replay: true })
  assert.deepEqual(
    replay.map(({ settings: { instances } }) => instances.map((one) => one.instance as string)),
    [['a', 'b'], ['c']],
  )
})

test('a strategy reads the market of its instrument and the orders of its account', () => {
  const [, second] = unitsOf('strategy-engine', settings)
  assert.deepEqual(second!.streams, {
    'market-data.binance.candles': ['BINANCE:BTCUSDT'],
    'market-data.binance.trades': ['BINANCE:BTCUSDT'],
    'orders.events': ['sim.binance.second'],
  })
})

test('market data is by partition: whatever else is configured, an instrument keeps its unit', () => {
  const unitOf = (symbol: string, of: RunSettings): string =>
    unitsOf('market-data-collector', of).find((unit) =>
      unit.settings.instances.some((one) => one.instrument.id === `BINANCE:${symbol}`),
    )!.name
  const more = { ...settings, instances: [instance('z', 0, 'ADAUSDT'), ...settings.instances.slice(1)] }
  for (const symbol of ['BTCUSDT', 'ETHUSDT']) assert.equal(unitOf(symbol, settings), unitOf(symbol, more))
})

test('every account, instance and instrument is in exactly one unit of its service', () => {
  for (const replay of [false, true]) {
    const of = { ...settings, replay }
    const instances = (service: ServiceName): string[] =>
      unitsOf(service, of).flatMap((unit) => unit.settings.instances.map((one) => one.instance as string))
    for (const service of ['strategy-engine', 'market-data-collector'] as const) {
      assert.deepEqual(instances(service).sort(), ['a', 'b', 'c'])
    }
    const all = SERVICE_NAMES.flatMap((service) => names(service, of))
    assert.equal(new Set(all).size, all.length)
  }
})

test('past candles of every instrument of a venue are collected by exactly one unit, traded or not', () => {
  const units = unitsOf('market-data-collector', settings)
  for (const id of ['BINANCE:BTCUSDT', 'BINANCE:ETHUSDT', 'BINANCE:SOLUSDT', 'BINANCE:ADAUSDT']) {
    const instrument = instrumentId(id)
    assert.equal(units.filter((unit) => unit.settings.collects?.owns(instrument)).length, 1, id)
    const streaming = units.find((unit) => unit.settings.instances.some((one) => one.instrument.id === instrument))
    if (streaming !== undefined) assert.ok(streaming.settings.collects?.owns(instrument), id)
  }
  assert.ok(!units.some((unit) => unit.settings.collects?.owns(instrumentId('KRX:005930'))))
  assert.ok(unitsOf('market-data-collector', { ...settings, replay: true }).every((unit) => !unit.settings.collects))
})

test('a long name is cut, and two that begin alike stay two', () => {
  const long = (end: string) => instance(`${'x'.repeat(60)}${end}`, 0, 'BTCUSDT')
  const found = names('strategy-engine', { ...settings, instances: [long('a'), long('b')] })
  assert.equal(new Set(found).size, 2)
  for (const name of found) assert.ok(name.length <= 48, name)
})
