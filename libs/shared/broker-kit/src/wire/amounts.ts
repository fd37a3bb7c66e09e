/** Amounts and timeframes as the Broker API says them. */
import { formatUnits, parseUnits, unitsFromFloat, unitsToFloat, type Units } from '@jts/model'

export const toText = (units: Units): string => formatUnits(units)
export const toUnits = (text: string): Units => parseUnits(text)
/** A price or volume of market data; nothing beyond eight decimals is said. */
export const floatToText = (value: number): string => formatUnits(unitsFromFloat(value))
export const textToFloat = (text: string): number => unitsToFloat(parseUnits(text))

/** Days and weeks are in capitals on the wire, so that `1m` and `1M` can never be taken for each other. */
export const toWireTimeframe = (timeframe: string): string =>
  timeframe.replace(/[dw]$/, (letter) => letter.toUpperCase())
export const fromWireTimeframe = (timeframe: string): string =>
  timeframe.replace(/[DW]$/, (letter) => letter.toLowerCase())

/** The fields of `record` that are there, each through `change`. */
export function present<K extends string, A, B>(
  record: Readonly<Partial<Record<K, A>>>,
  names: readonly K[],
  change: (value: A) => B,
): Partial<Record<K, B>> {
  const found: Partial<Record<K, B>> = {}
  for (const name of names) {
    const value = record[name]
    if (value !== undefined) found[name] = change(value as A)
  }
  return found
}

/** Those of the fields that are there, as they are. */
export function picked<T extends object, K extends keyof T>(record: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(
    names.flatMap((name) => (record[name] === undefined ? [] : [[name, record[name]]])),
  ) as Pick<T, K>
}
