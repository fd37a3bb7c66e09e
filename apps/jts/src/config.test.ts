import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigError, parseYamlConfig } from '@jts/runtime'
import { configSchema, liveRiskLimits, readConfig, riskLimits, scheduledCollections } from './config.ts'

const parse = (text: string) => parseYamlConfig(text, 'jts.yaml', configSchema)

test('without a file there is one play-money account and nothing is limited', () => {
  const config = readConfig(undefined)
  assert.equal(config.mode, 'sim')
  assert.deepEqual(
    config.accounts.map((account) => account.name),
    ['main'],
  )
  assert.deepEqual(riskLimits(config), {})
})

test('the shipped example is valid', () => {
  const config = readConfig(join(import.meta.dirname, '../../../jts.example.yaml'))
  assert.equal(config.strategies?.[0]?.strategy, 'ema-cross')
  assert.equal(riskLimits(config).notionalMaxPerOrder, 5000_00000000n)
})

const refused: readonly [name: string, text: string, said: RegExp][] = [
  ['live mode said once', 'mode: live\nrisk: { notionalMaxPerOrder: 10 }\n', /live: true/],
  ['live mode without risk limits', 'mode: live\nlive: true\n', /notionalMaxPerOrder/],
  ['live: true in another mode', 'live: true\n', /mode: live/],
  [
    'an account named twice',
    'accounts:\n  - name: a\n  - name: a\n',
    /:3: accounts\.1\.name: expected each account once/,
  ],
  [
    'a strategy of an unknown account',
    'strategies:\n  - strategy: ema-cross\n    account: other\n    instrument: BINANCE:BTCUSDT\n',
    /:3: .*expected one of the accounts main/,
  ],
  ['a broken instrument', 'strategies:\n  - strategy: x\n    instrument: btc\n', /:3: .*BINANCE:BTCUSDT.*"btc"/],
  ['a cap of nothing', 'risk:\n  exposureMaxPerInstrument: 0\n', /:2: .*above 0/],
  ['a collar beyond the price', 'risk:\n  priceCollar: 1.5\n', /:2: .*1/],
  ['a negative limit', 'risk:\n  notionalMaxPerOrder: -1\n', /:2: .*above 0.*-1/],
  [
    'an unknown timeframe',
    'strategies:\n  - { strategy: x, instrument: "BINANCE:BTCUSDT", timeframe: 7m }\n',
    /timeframe/,
  ],
  [
    'a time of day that is none',
    'accounts: [{ name: krx, broker: creon }]\ncollection:\n  creon:\n    at: 25:00\n',
    /:4: collection\.creon\.at: expected a time of day in Seoul such as 16:30/,
  ],
  [
    'a market that is none',
    'accounts: [{ name: krx, broker: creon }]\ncollection:\n  creon:\n    markets: [NASDAQ]\n',
    /:4: collection\.creon\.markets\.0: expected one of KOSPI, KOSDAQ, KONEX/,
  ],
  [
    'an instrument collected from another venue',
    'collection:\n  binance:\n    instruments: ["KRX:005930"]\n',
    /:3: .*expected an instrument of BINANCE/,
  ],
  ['a collection without an account', 'collection:\n  creon: {}\n', /:2: .*expected an account at creon/],
  ['a key in the file', 'accounts:\n  - name: main\n    apiKey: abc\n', /apiKey/],
]

for (const [name, text, said] of refused) {
  test(`${name} is refused`, () => {
    assert.throws(
      () => parse(text),
      (error: unknown) => error instanceof ConfigError && said.test(error.message),
    )
  })
}

const AT_BOTH = 'accounts: [{ name: main }, { name: krx, broker: creon }]\n'
const LIVE = `mode: live\nlive: true\nrisk: { notionalMaxPerOrder: 10 }\n${AT_BOTH}`
const schedules: readonly [name: string, text: string, expected: object][] = [
  ['sim collects nothing by itself', AT_BOTH, {}],
  [
    'live collects what is traded, after the close of each venue',
    LIVE,
    {
      BINANCE: { at: '09:10', instruments: [], markets: [], timeframes: ['1d'] },
      KRX: { at: '17:00', instruments: [], markets: [], timeframes: ['1d'] },
    },
  ],
  [
    'what is said is collected, and what is turned off is not',
    `${LIVE}collection:\n  creon: { at: 18:30, markets: [KOSPI, KOSDAQ], timeframes: [1d, 1m] }\n  binance: { enabled: false }\n`,
    { KRX: { at: '18:30', instruments: [], markets: ['KOSPI', 'KOSDAQ'], timeframes: ['1d', '1m'] } },
  ],
]
for (const [name, text, expected] of schedules) {
  test(name, () => assert.deepEqual(scheduledCollections(parse(text)), expected))
}

test('outside of replays a signal ages, at the speed of its market, whatever is configured', () => {
  const limits = (text: string, speed?: number) => liveRiskLimits(parse(text), speed)
  assert.equal(limits('{}').signalAgeMaxUs, 60_000_000)
  assert.equal(limits('risk: { notionalMaxPerOrder: "5" }', 50).signalAgeMaxUs, 3_000_000_000)
  assert.equal(limits('risk: { signalAgeMaxMs: 5000 }').signalAgeMaxUs, 5_000_000)
})
