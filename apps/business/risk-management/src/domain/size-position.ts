/** Position sizing: fixed, percent of equity, volatility (ATR). Rounded down to the lot; never above the cash at hand. */
import type { PositionSizeRequest, PositionSizeResponse } from '@jts/contracts/risk-api'
import { RpcError } from '@jts/contracts'
import { floorToStep, formatUnits, unitsFromFloat, unitsToFloat, type Instrument, type Units } from '@jts/model'

export type SizingFacts = {
  readonly instrument: Instrument
  /** Quote currency not spoken for. */
  readonly cashFree: Units
  readonly equity: number
}

function positive(field: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value
  throw new RpcError('INVALID_ARGUMENT', `${field}: expected a positive number, found ${value}`)
}

function wanted(request: PositionSizeRequest, facts: SizingFacts): number {
  switch (request.method) {
    case 'fixed':
      return positive('quantity', request.quantity)
    case '':
    case 'percent_of_equity':
      return (facts.equity * positive('percent', request.percent)) / 100 / request.price
    case 'volatility':
      return (facts.equity * positive('percent', request.percent)) / 100 / positive('atr', request.atr)
    default:
      throw new RpcError(
        'INVALID_ARGUMENT',
        `method: expected "fixed", "percent_of_equity" or "volatility", found ${JSON.stringify(request.method)}`,
      )
  }
}

export function sizePosition(request: PositionSizeRequest, facts: SizingFacts): PositionSizeResponse {
  const price = positive('price', request.price)
  const affordable = request.side === 'sell' ? Infinity : unitsToFloat(facts.cashFree) / price
  const asked = wanted(request, facts)
  const capped = Math.min(asked, affordable)
  const quantity = floorToStep(unitsFromFloat(Math.max(0, capped)), facts.instrument.lotSize)
  const reason =
    quantity === 0n
      ? `less than one lot of ${formatUnits(facts.instrument.lotSize)}`
      : capped < asked
        ? `capped by the cash at hand: ${formatUnits(facts.cashFree)} ${facts.instrument.quoteCurrency}`
        : ''
  return {
    quantity: unitsToFloat(quantity),
    quantityText: formatUnits(quantity),
    notional: unitsToFloat(quantity) * price,
    reason,
  }
}
