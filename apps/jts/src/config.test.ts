import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigError, parseYamlConfig } from '@jts/runtime'
import { configSchema, liveRiskLimits, readConfig, riskLimits, scheduledCollections, webhookOf } from './config.ts'
import { krxSessionsOf, kstInstantUs, secondsOfTime } from '@jts/model'

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
  [
    'a holiday that is no day',
    'krx:\n  holidays:\n    - 2027-01-01\n    - 2027-02-30\n',
    /:4: .*expected a date.*"2027-02-30"/,
  ],
  ['a calendar shorter than the shipped one', 'krx:\n  knownTo: 2025-01-01\n', /:2: .*2026-12-31.*or later/],
  [
    'a day that shifts otherwise',
    'krx:\n  shiftedDays:\n    - { date: 2027-11-18, minutes: 60, what: end }\n',
    /:3: .*day or open/,
  ],
  [
    'a session that ends before it begins',
    'krx:\n  sessions:\n    - since: 2026-06-29\n      sessions:\n        - { phase: continuous, from: "09:00", to: "08:00" }\n',
    /:5: .*after 09:00.*"08:00"/,
  ],
  [
    'sessions within each other',
    'krx:\n  sessions:\n    - since: 2026-06-29\n      sessions:\n        - { phase: continuous, from: "09:00", to: "15:30" }\n        - { phase: closing-auction, from: "15:20", to: "15:40" }\n',
    /:6: .*closing-auction not within continuous/,
  ],
  [
    'accepting a halt',
    'risk:\n  restrictionsAllowed: [managed, halted]\n',
    /:2: .*expected one of managed, .*"halted"/,
  ],
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

const URL = 'https://example.org/hook'
for (const [name, text, expected] of [
  ['nobody is told by webhook where none is named', 'notifications: { language: en }', undefined],
  [
    'a person is told in Korean where no language is named',
    `notifications: { webhook: "${URL}" }`,
    { url: URL, language: 'ko' },
  ],
  [
    'a person is told in English who says so',
    `notifications: { webhook: "${URL}", language: en }`,
    { url: URL, language: 'en' },
  ],
] as const) {
  test(name, () => assert.deepEqual(webhookOf(parse(text)), expected))
}

test('a language that nobody speaks here is refused with what is expected', () => {
  assert.throws(() => parse('notifications: { language: fr }'), /expected ko or en/)
})

test('outside of replays a signal ages, at the speed of its market, whatever is configured', () => {
  const limits = (text: string, speed?: number) => liveRiskLimits(parse(text), speed)
  assert.equal(limits('{}').signalAgeMaxUs, 60_000_000)
  assert.equal(limits('risk: { notionalMaxPerOrder: "5" }', 50).signalAgeMaxUs, 3_000_000_000)
  assert.equal(limits('risk: { signalAgeMaxMs: 5000 }').signalAgeMaxUs, 5_000_000)
})

test('what the exchange announces stands beside the shipped tables', () => {
  const { krx, ...config } = parse(`
risk: { restrictionsAllowed: [managed, warning] }
krx:
  holidays: [2026-12-24, 2027-01-01]
  knownTo: 2027-12-31
  shiftedDays:
    - { date: 2027-11-18, minutes: 60 }
    - { date: 2026-11-19, minutes: 0 }
  sessions:
    - since: 2026-12-01
      sessions:
        - { phase: continuous, from: '07:00', to: '20:00' }
`)
  assert.deepEqual(riskLimits({ krx, ...config }).restrictionsAllowed, ['managed', 'warning'])
  const sessions = krxSessionsOf(krx)
  const at = (date: string, time: string) => sessions.at(kstInstantUs(date, secondsOfTime(time)))?.phase
  assert.equal(at('2026-12-24', '10:00'), undefined)
  assert.equal(at('2026-11-30', '19:00'), undefined)
  assert.equal(at('2026-12-01', '19:00'), 'continuous')
  assert.deepEqual([at('2027-11-18', '07:30'), at('2027-11-18', '08:00')], [undefined, 'continuous'])
  assert.equal(at('2026-11-19', '09:00'), 'continuous', 'a shift of the shipped table may be taken back')
})
