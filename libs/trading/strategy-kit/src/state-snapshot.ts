/**
 * A strategy's state as JSON and back, exactly: plain data and indicators. What JSON cannot say (NaN, infinities, −0,
 * bigint, undefined) is tagged; anything else is refused by its path, because it could not be restored.
 */
import { formatUnits, parseUnits } from '@jts/model/numbers'
import { Atr, Ema, Rsi, Sma, type Plain } from './indicators/index.ts'

/** One line per indicator: its class knows how to write and read itself. */
const INDICATORS: Readonly<Record<string, { fromPlain(plain: Readonly<Record<string, Plain>>): unknown }>> = {
  sma: Sma,
  ema: Ema,
  rsi: Rsi,
  atr: Atr,
}

export function stateToPlain(value: unknown, path = 'state'): Plain {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return numberToPlain(value)
  if (typeof value === 'bigint') return { $units: formatUnits(value) }
  if (value === undefined) return { $undefined: true }
  if (Array.isArray(value)) return value.map((one, i) => stateToPlain(one, `${path}[${i}]`))
  if (value instanceof Sma || value instanceof Ema || value instanceof Rsi || value instanceof Atr) {
    return { $indicator: recordToPlain(value.toPlain(), path) }
  }
  if (typeof value === 'object' && isPlainObject(value)) return recordToPlain(value as Record<string, unknown>, path)
  throw new Error(`expected plain data or an indicator at ${path}, found ${describe(value)}: it could not be restored`)
}

export function stateFromPlain(plain: Plain): unknown {
  if (typeof plain !== 'object' || plain === null) return plain
  if (Array.isArray(plain)) return plain.map(stateFromPlain)
  const record = plain as Readonly<Record<string, Plain>>
  if ('$number' in record) return record.$number === '-0' ? -0 : Number(record.$number)
  if ('$units' in record) return parseUnits(String(record.$units))
  if ('$undefined' in record) return undefined
  if ('$indicator' in record) {
    const fields = stateFromPlain(record.$indicator!) as Readonly<Record<string, Plain>>
    const kind = INDICATORS[String(fields.indicator)]
    if (kind === undefined) throw new Error(`expected a known indicator, found ${JSON.stringify(fields.indicator)}`)
    return kind.fromPlain(fields)
  }
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, stateFromPlain(value)]))
}

function numberToPlain(value: number): Plain {
  if (Object.is(value, -0)) return { $number: '-0' }
  return Number.isFinite(value) ? value : { $number: String(value) }
}

function recordToPlain(record: Readonly<Record<string, unknown>>, path: string): Plain {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => {
      if (key.startsWith('$')) throw new Error(`expected a name without $ at ${path}, found ${key}`)
      return [key, stateToPlain(value, `${path}.${key}`)]
    }),
  )
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`
  return `a ${(value.constructor as { name?: string } | undefined)?.name ?? 'class instance'}`
}
