import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { CsvCells } from './csv-cells.ts'
import { RecordedMarketError, parseRecordedMarket, readRecordedMarket } from './recorded-market.ts'

const FILE = 'binance-spot-BTCUSDT-1m-2024.csv'
const HEADER = 'open_time_ms,open,high,low,close,volume,close_time_ms,quote_volume,trades'
const START = 1_704_067_200_000

function row(minute: number, prices = '100.5,101,99.25,100,12.5'): string {
  const open = START + minute * 60_000
  return `${open},${prices},${open + 59_999},,`
}

const csv = (...rows: string[]): string => [HEADER, ...rows].join('\n') + '\n'
const parse = (text: string, options = {}, file = FILE): ReturnType<typeof parseRecordedMarket> =>
  parseRecordedMarket(Buffer.from(text), file, options)

const folder = mkdtempSync(join(tmpdir(), 'jts-recordings-'))
after(() => rmSync(folder, { recursive: true }))

describe('recorded bars', () => {
  it('become columns, with instrument, timeframe and the digest of the text', () => {
    const text = csv(row(0), row(1, '100,1e2,100,100,0'))
    const market = parse(text)
    assert.ok(market.kind === 'bars')
    assert.equal(market.instrument, 'BINANCE:BTCUSDT')
    assert.deepEqual([market.timeframe, market.length, market.gaps, market.missingBars], ['1m', 2, 0, 0])
    assert.deepEqual([...market.openTimeUs], [START * 1000, (START + 60_000) * 1000])
    assert.deepEqual([...market.closeTimeUs], [(START + 59_999) * 1000, (START + 119_999) * 1000])
    assert.deepEqual([market.open[0], market.high[0], market.low[0], market.close[0]], [100.5, 101, 99.25, 100])
    assert.deepEqual([market.high[1], market.volume[0], market.volume[1]], [100, 12.5, 0])
    assert.equal(market.sha256, createHash('sha256').update(text).digest('hex'))
  })

  it('of Binance’s public files have no header and may count in microseconds', () => {
    const line = (minute: number): string => {
      const open = (START + minute * 60_000) * 1000
      return `${open},1.10000000,1.20000000,1.00000000,1.15000000,5,${open + 59_999_999},5.5,10,2,2.2,0`
    }
    const market = parse(`${line(0)}\r\n${line(1)}\r\n`, {}, 'ETHBTC-1m-2025-01.csv')
    assert.ok(market.kind === 'bars')
    assert.equal(market.instrument, 'BINANCE:ETHBTC')
    assert.deepEqual([...market.openTimeUs], [START * 1000, (START + 60_000) * 1000])
    assert.equal(market.open[0], 1.1)
  })

  it('need no line feed at the end', () => {
    assert.equal(parse(csv(row(0), row(1)).trimEnd()).length, 2)
  })

  it('with gaps are accepted when that is allowed, and the gaps are counted', () => {
    const market = parse(csv(row(0), row(1), row(4), row(6)), { allowGaps: true })
    assert.ok(market.kind === 'bars')
    assert.deepEqual([market.timeframe, market.gaps, market.missingBars], ['1m', 2, 3])
  })

  it('finer than eight decimals are rounded to the nearest 1e-8', () => {
    const market = parse(csv(row(0, '1.1234567849,1.2,1.1234567751,1.1999999999,1')))
    assert.ok(market.kind === 'bars')
    assert.deepEqual([market.open[0], market.low[0], market.close[0]], [1.12345678, 1.12345678, 1.2])
  })

  it('numbers are read as their text says', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 10n ** 15n - 1n }),
        fc.integer({ min: 0, max: 8 }),
        (mantissa, decimals) => {
          const digits = mantissa.toString().padStart(decimals + 1, '0')
          const text = decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
          return new CsvCells(Buffer.from(text), FILE).number('x') === Number(text)
        },
      ),
    )
  })

  const refused: [name: string, text: string, line: number, message: RegExp][] = [
    [
      'a missing column',
      csv(row(0)).replace('volume', 'vol'),
      1,
      /expected a header with volume, found open_time_ms,open,/,
    ],
    [
      'a gap',
      csv(row(0), row(1), row(3)),
      4,
      /expected the bar of 2024-01-01T00:02:00.000Z \(1m bars\), found a gap up to 2024-01-01T00:03/,
    ],
    [
      'a bar out of order',
      csv(row(0), row(2), row(1)),
      4,
      /expected bars in order of time, none twice, found 2024-01-01T00:01.* after .*00:02/,
    ],
    ['a bar twice', csv(row(0), row(0)), 3, /expected bars in order of time/],
    ['a price that is no number', csv(row(0), row(1, '1,2,1,NaN,5')), 3, /expected a number in close, found "NaN"/],
    ['an empty price', csv(row(0), row(1, '1,2,,1,5')), 3, /expected a number in low, found an empty cell/],
    ['a lone dot', csv(row(0, '.,2,1,1,5')), 2, /expected a number in open, found "."/],
    ['a word after a number', csv(row(0, '1,2x,1,1,5')), 2, /expected a number in high, found "2x"/],
    ['high below low', csv(row(0, '1,1,2,1,5')), 2, /expected high not below low, found high 1, low 2/],
    ['an open outside', csv(row(0, '3,2,1,1,5')), 2, /expected open within 1 to 2, found 3/],
    ['a close outside', csv(row(0, '1,2,1,0.5,5')), 2, /expected close within 1 to 2, found 0.5/],
    ['a negative volume', csv(row(0, '1,2,1,1,-5')), 2, /expected volume not to be negative, found -5/],
    ['a negative price', csv(row(0, '-1,2,-1,1,5')), 2, /expected open not to be negative, found -1/],
    ['a price of nothing', csv(row(0, '0,2,0,1,5')), 2, /expected prices above 0/],
    ['too few cells', csv(row(0).replace(',,', '')), 2, /expected 9 cells, found 7/],
    ['too many cells', csv(row(0) + ',1'), 2, /expected 9 cells, found more/],
    ['a blank line within', csv(row(0), '', row(1)), 3, /expected a whole number in open_time_ms, found an empty cell/],
    ['only a header', HEADER + '\n', 2, /expected at least one row, found only a header/],
    [
      'no header and other columns',
      '1,2,3\n',
      1,
      /expected a header, or the 12 columns .*, found 3 columns and no header/,
    ],
    [
      'a spacing that is no timeframe',
      csv(row(0), row(2), row(4)),
      0,
      /expected rows spaced by one of 1s, 1m, .*, found a smallest spacing of 120 s/,
    ],
    [
      'a close before its open',
      csv(row(0).replace(String(START + 59_999), '5')),
      2,
      /expected close time after open time/,
    ],
  ]
  for (const [name, text, line, message] of refused) {
    it(`refuse ${name}`, () => {
      assert.throws(
        () => parse(text),
        (error) => {
          assert.ok(error instanceof RecordedMarketError)
          assert.deepEqual([error.file, error.line], [FILE, line])
          assert.match(error.message, message)
          return true
        },
      )
    })
  }

  it('refuse a timeframe that is not theirs', () => {
    assert.throws(
      () => parse(csv(row(0), row(1)), { timeframe: '5m' }),
      /line 3: expected the bar of .*00:05:00.000Z \(5m bars\)/,
    )
  })
})

describe('recorded trades', () => {
  const text = 'trade_id,price,qty,time_ms,is_buyer_maker\n7,100.5,0.1,1000,true\n8,100.25,2,1000,False\n'

  it('become columns', () => {
    const market = parse(text)
    assert.ok(market.kind === 'trades')
    assert.deepEqual(market.tradeId, ['7', '8'])
    assert.deepEqual([...market.timeUs], [1_000_000, 1_000_000])
    assert.deepEqual([...market.price, ...market.quantity, ...market.buyerMaker], [100.5, 100.25, 0.1, 2, 1, 0])
  })

  it('may be aggregated', () => {
    const market = parse(
      'agg_trade_id,price,qty,time_ms,is_buyer_maker,first_trade_id,last_trade_id\n9,1,1,5,true,3,4\n',
    )
    assert.ok(market.kind === 'trades')
    assert.deepEqual([market.tradeId, market.length], [['9'], 1])
  })

  const refused: [text: string, message: RegExp][] = [
    [text.replace('8,100.25', 'x,100.25'), /line 3: expected a trade id of digits, found "x"/],
    [
      text.replace('2,1000,False', '2,999,False'),
      /line 3: expected trades in order of time, found 999 ms after 1000 ms/,
    ],
    [text.replace('False', 'maybe'), /line 3: expected true or false in is_buyer_maker, found "maybe"/],
    [text.replace('8,100.25', '7,100.25'), /line 3: expected trades in order of id, none twice, found 7 after 7/],
    [text.replace('7,100.5', '10,100.5'), /line 3: expected trades in order of id, none twice, found 8 after 10/],
    [text.replace('100.25,2', '100.25,0'), /line 3: expected qty above 0, found 0/],
    [text.replace(',qty,', ',size,'), /line 1: expected a header with qty/],
  ]
  for (const [broken, message] of refused)
    it(`refuse: ${message.source}`, () => assert.throws(() => parse(broken), message))
})

describe('recorded files', () => {
  function write(name: string, bytes: Buffer): string {
    const file = join(folder, name)
    writeFileSync(file, bytes)
    return file
  }
  const text = csv(...Array.from({ length: 500 }, (_, i) => row(i)))

  it('plain and gzip give the same market', async () => {
    const plain = await readRecordedMarket(write('BTCUSDT-1m-2024-01.csv', Buffer.from(text)))
    const packed = await readRecordedMarket(write('BTCUSDT-1m-2024-01.csv.gz', gzipSync(text)))
    assert.equal(packed.sha256, plain.sha256)
    assert.equal(packed.length, 500)
  })

  it('the instrument can be given when the name does not tell', async () => {
    const file = write('prices.csv', Buffer.from(text))
    await assert.rejects(readRecordedMarket(file), /prices.csv: expected a name such as .*, found prices.csv/)
    assert.equal((await readRecordedMarket(file, { instrument: 'BINANCE:ETHUSDT' })).instrument, 'BINANCE:ETHUSDT')
  })

  const whole = gzipSync(text)
  const refused: [name: string, bytes: Buffer, message: RegExp][] = [
    [
      'BTCUSDT-1m-a.csv.gz',
      whole.subarray(0, whole.length - 20),
      /BTCUSDT-1m-a.csv.gz line \d+: expected gzip data to the end, found a truncated file/,
    ],
    ['BTCUSDT-1m-b.csv.gz', Buffer.from(text), /expected gzip data, as the name says, found something else/],
    ['BTCUSDT-1m-c.zip', Buffer.from('PK'), /expected a CSV, plain or gzip, found a zip archive: unpack it first/],
    ['BTCUSDT-1m-d.csv', Buffer.from(''), /line 1: expected a header or a row, found an empty file/],
    ['BTCUSDT-1m-e.csv.gz', Buffer.from(''), /line 1: expected a header or a row, found an empty file/],
  ]
  for (const [name, bytes, message] of refused) {
    it(`refuses ${name}`, async () => assert.rejects(readRecordedMarket(write(name, bytes)), message))
  }

  it('says when there is no such file', async () => {
    await assert.rejects(
      readRecordedMarket(join(folder, 'BTCUSDT-1m-none.csv')),
      /expected a readable file, found ENOENT/,
    )
  })
})
