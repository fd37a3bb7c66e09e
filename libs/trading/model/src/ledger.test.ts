import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { feeOfReceived } from './fees.ts'
import type { Fill } from './fills.ts'
import { accountId, strategyInstanceId, type OrderId } from './ids.ts'
import { shippedInstrument } from './instruments.ts'
import { EXTERNAL, Ledger, netBaseQuantity, type LedgerPlain } from './ledger.ts'
import { formatUnits, parseUnits, type Units } from './numbers.ts'
import type { Side } from './bars.ts'

const instrument = shippedInstrument('BINANCE:BTCUSDT')
const account = accountId('sim.binance.main')
const strategy = strategyInstanceId('one')
const RATE = parseUnits('0.001')

function fillOf(side: Side, quantity: Units, price: Units, fee?: { amount: Units; currency: string }): Fill {
  const received = side === 'buy' ? 'BTC' : 'USDT'
  return {
    fillId: '1',
    account,
    strategy,
    instrument: instrument.id,
    side,
    quantity,
    price,
    fee: fee?.amount ?? feeOfReceived(side, quantity, price, RATE),
    feeCurrency: fee?.currency ?? received,
    liquidity: 'taker',
    timeUs: 0,
    tradeId: '1',
    orderId: 'o' as OrderId,
  }
}

function opened(cash = '100000'): Ledger {
  const ledger = new Ledger(account)
  ledger.open({ USDT: parseUnits(cash) })
  return ledger
}

const text = (side: Side, quantity: string, price: string): Fill =>
  fillOf(side, parseUnits(quantity), parseUnits(price))

describe('ledger', () => {
  it('a fee in base shrinks what is received while the cost stays what was paid', () => {
    const ledger = opened()
    ledger.applyFill(text('buy', '0.01', '43956.48'), instrument)
    const position = ledger.position(strategy, instrument.id)
    assert.equal(formatUnits(position.quantity), '0.00999')
    assert.equal(formatUnits(position.totalCost), '439.5648')
    assert.equal(formatUnits(ledger.cashOf('USDT')), '99560.4352')
    assert.equal(formatUnits(ledger.fees.get('BTC')!), '0.00001')
  })

  it('realised PnL is net of every fee', () => {
    const ledger = opened()
    ledger.applyFill(text('buy', '0.01', '43956.48'), instrument)
    ledger.applyFill(text('sell', '0.00999', '44462'), instrument)
    // 444.17538 received less 0.44417538 fee less 439.5648 cost.
    assert.equal(formatUnits(ledger.position(strategy, instrument.id).realisedPnl), '4.16640462')
  })

  it('the cost that leaves with a partial sale is rounded half-even', () => {
    const ledger = opened()
    const free = { amount: 0n, currency: 'USDT' }
    ledger.applyFill(fillOf('buy', parseUnits('3'), parseUnits('0.00000001'), free), instrument)
    ledger.applyFill(fillOf('sell', parseUnits('1.5'), parseUnits('1'), free), instrument)
    // Half of a cost of 3 units is 1.5: to the even 2.
    assert.equal(ledger.position(strategy, instrument.id).totalCost, 1n)
  })

  it('a fee in a third currency reduces that cash and no PnL', () => {
    const ledger = opened()
    ledger.open({ BNB: parseUnits('1') })
    const fee = { amount: parseUnits('0.001'), currency: 'BNB' }
    ledger.applyFill(fillOf('buy', parseUnits('0.01'), parseUnits('60000'), fee), instrument)
    assert.equal(formatUnits(ledger.cashOf('BNB')), '0.999')
    assert.equal(formatUnits(ledger.fees.get('BNB')!), '0.001')
    assert.equal(ledger.realisedPnl('USDT'), 0n)
    assert.equal(netBaseQuantity(fillOf('buy', 5n, 5n, fee), instrument), 5n)
  })

  it('keeps what no strategy opened apart', () => {
    const ledger = opened()
    ledger.applyFill({ ...text('buy', '1', '100'), strategy: EXTERNAL }, instrument)
    assert.equal(ledger.position(strategy, instrument.id).quantity, 0n)
    assert.equal(formatUnits(ledger.quantityOf(instrument.id)), '0.999')
  })

  it('a sale beyond the position opens a short, which a purchase closes', () => {
    const ledger = opened()
    const free = { amount: 0n, currency: 'USDT' }
    for (const [side, quantity, price] of [
      ['buy', '1', '100'],
      ['sell', '3', '110'],
      ['buy', '2', '105'],
    ] as const) {
      ledger.applyFill(fillOf(side, parseUnits(quantity), parseUnits(price), free), instrument)
    }
    const position = ledger.position(strategy, instrument.id)
    assert.deepEqual([position.quantity, position.totalCost, formatUnits(position.realisedPnl)], [0n, 0n, '20'])
  })

  it('says which mark price it lacks', () => {
    const ledger = opened()
    ledger.applyFill(text('buy', '1', '100'), instrument)
    assert.throws(() => ledger.equity('USDT', new Map()), /expected a mark price for BINANCE:BTCUSDT, found none/)
    assert.equal(formatUnits(ledger.equity('USDT', new Map([[instrument.id, 110]]))), '100009.89')
    assert.equal(formatUnits(ledger.unrealisedPnl(strategy, instrument.id, 110)), '9.89')
  })

  const units = fc.bigInt({ min: 1n, max: parseUnits('1000') })
  const fills = fc.array(
    fc.record({
      side: fc.constantFrom<Side>('buy', 'sell'),
      quantity: units,
      price: units,
      currency: fc.constantFrom('BTC', 'USDT'),
    }),
    { maxLength: 30 },
  )

  function booked(list: { side: Side; quantity: Units; price: Units; currency: string }[]): Ledger {
    const ledger = opened()
    for (const { side, quantity, price, currency } of list) {
      const amount =
        currency === 'BTC' ? (quantity * RATE) / 100_000_000n : feeOfReceived('sell', quantity, price, RATE)
      ledger.applyFill(fillOf(side, quantity, price, { amount, currency }), instrument)
    }
    return ledger
  }

  it('cash gained is realised PnL less the cost of what is held, whatever is booked', () => {
    fc.assert(
      fc.property(fills, (list) => {
        const ledger = booked(list)
        const { realisedPnl, totalCost } = ledger.position(strategy, instrument.id)
        return ledger.cashOf('USDT') - parseUnits('100000') === realisedPnl - totalCost
      }),
    )
  })

  it('what moves without a trade changes what is held and no PnL, and survives being written down', () => {
    const moves = fc.array(
      fc.record({
        at: fc.nat({ max: 30 }),
        currency: fc.constantFrom('USDT', 'BTC'),
        amount: fc.bigInt({ min: -parseUnits('1000'), max: parseUnits('1000') }),
      }),
      { maxLength: 10 },
    )
    fc.assert(
      fc.property(fills, moves, (list, moved) => {
        const plain = booked(list)
        let ledger = opened()
        const adjustAt = (at: number) => {
          for (const one of moved.filter((move) => Math.min(move.at, list.length) === at))
            ledger.adjust(one.currency, one.amount)
        }
        list.forEach((_, at) => {
          adjustAt(at)
          ledger = Ledger.fromPlain(JSON.parse(JSON.stringify(ledger.toPlain())) as LedgerPlain)
          const { side, quantity, price, currency } = list[at]!
          const amount =
            currency === 'BTC' ? (quantity * RATE) / 100_000_000n : feeOfReceived('sell', quantity, price, RATE)
          ledger.applyFill(fillOf(side, quantity, price, { amount, currency }), instrument)
        })
        adjustAt(list.length)
        for (const currency of ['USDT', 'BTC']) {
          const sum = moved.filter((one) => one.currency === currency).reduce((total, one) => total + one.amount, 0n)
          assert.equal(ledger.adjusted.get(currency) ?? 0n, sum)
          assert.equal(ledger.cashOf(currency) - plain.cashOf(currency), sum)
        }
        assert.deepEqual(ledger.toPlain().positions, plain.toPlain().positions)
      }),
    )
  })

  it('closing everything leaves no cost and no unrealised PnL', () => {
    fc.assert(
      fc.property(fills, units, (list, price) => {
        const ledger = booked(list)
        const { quantity } = ledger.position(strategy, instrument.id)
        const free = { amount: 0n, currency: 'USDT' }
        if (quantity > 0n) ledger.applyFill(fillOf('sell', quantity, price, free), instrument)
        if (quantity < 0n) ledger.applyFill(fillOf('buy', -quantity, price, free), instrument)
        const position = ledger.position(strategy, instrument.id)
        assert.deepEqual([position.quantity, position.totalCost], [0n, 0n])
        assert.equal(ledger.unrealisedPnl(strategy, instrument.id, price), 0n)
        assert.equal(ledger.equity('USDT', new Map()), ledger.cashOf('USDT'))
        assert.equal(position.realisedPnl, ledger.cashOf('USDT') - parseUnits('100000'))
      }),
    )
  })

  it('comes back from its plain form, through JSON, exactly', () => {
    fc.assert(
      fc.property(fills, (list) => {
        const ledger = booked(list)
        const restored = Ledger.fromPlain(JSON.parse(JSON.stringify(ledger.toPlain())) as LedgerPlain)
        assert.deepEqual(restored.toPlain(), ledger.toPlain())
        const more = text('buy', '0.5', '123.45')
        for (const one of [ledger, restored]) one.applyFill(more, instrument)
        assert.deepEqual(restored.toPlain(), ledger.toPlain())
      }),
    )
  })
})
