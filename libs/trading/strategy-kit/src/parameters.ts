/** What a strategy lets a person set: each parameter with its default and its bounds. */
import { formatUnits, parseUnits, type Units } from '@jts/model/numbers'

export type Parameter<T> = {
  readonly kind: string
  readonly default: T
  /** What is accepted, for help texts and errors. */
  readonly expected: string
  /** The value, or undefined when the text is not one. */
  readonly parse: (text: string) => T | undefined
  readonly format: (value: T) => string
}

// `any` lets a table hold parameters of different values; each value's own type comes back through `ParameterValues`.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type ParameterTable = Readonly<Record<string, Parameter<any>>>
export type ParameterValues<P extends ParameterTable> = {
  readonly [Name in keyof P]: P[Name] extends Parameter<infer T> ? T : never
}
export type ParametersGiven = Readonly<Record<string, string | number | boolean>>

type NumberBounds = { readonly default: number; readonly min?: number; readonly max?: number }

export class ParameterError extends Error {
  override readonly name = 'ParameterError'
}

function bounds({ min, max }: NumberBounds): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`
  if (min !== undefined) return ` of at least ${min}`
  return max === undefined ? '' : ` of at most ${max}`
}

function numeric(
  kind: string,
  article: string,
  given: NumberBounds,
  fits: (value: number) => boolean,
): Parameter<number> {
  const { min = -Infinity, max = Infinity } = given
  return {
    kind,
    default: given.default,
    expected: `${article}${bounds(given)}`,
    parse: (text) => {
      const value = text.trim() === '' ? NaN : Number(text)
      return fits(value) && value >= min && value <= max ? value : undefined
    },
    format: String,
  }
}

export function integer(given: NumberBounds): Parameter<number> {
  return numeric('integer', 'a whole number', given, Number.isSafeInteger)
}

export function number(given: NumberBounds): Parameter<number> {
  return numeric('number', 'a number', given, Number.isFinite)
}

/** An exact amount above 0, of at most eight decimals. */
export function quantity(given: { readonly default: string }): Parameter<Units> {
  return {
    kind: 'quantity',
    default: parseUnits(given.default),
    expected: 'a quantity above 0 such as 0.01',
    parse: (text) => {
      try {
        const units = parseUnits(text)
        return units > 0n ? units : undefined
      } catch {
        return undefined
      }
    },
    format: formatUnits,
  }
}

export function text(given: { readonly default: string }): Parameter<string> {
  return { kind: 'text', default: given.default, expected: 'a text', parse: (value) => value, format: String }
}

export function choice<const C extends string>(given: {
  readonly default: NoInfer<C>
  readonly of: readonly C[]
}): Parameter<C> {
  return {
    kind: 'choice',
    default: given.default,
    expected: `one of ${given.of.join(', ')}`,
    parse: (value) => given.of.find((one) => one === value),
    format: String,
  }
}

export function flag(given: { readonly default: boolean }): Parameter<boolean> {
  return {
    kind: 'flag',
    default: given.default,
    expected: 'true or false',
    parse: (value) => (value === 'true' ? true : value === 'false' ? false : undefined),
    format: String,
  }
}

/** The values to run with. @throws ParameterError naming the parameter, what was expected and what was found. */
export function parseParameters<P extends ParameterTable>(
  definition: { readonly name: string; readonly parameters: P },
  given: ParametersGiven = {},
): ParameterValues<P> {
  const table = definition.parameters
  const names = Object.keys(table)
  for (const name of Object.keys(given)) {
    if (!names.includes(name)) {
      const known = names.length === 0 ? 'no parameters' : `a parameter of ${names.join(', ')}`
      throw new ParameterError(`${definition.name}: expected ${known}, found ${JSON.stringify(name)}`)
    }
  }
  const values: Record<string, unknown> = {}
  for (const name of names) {
    const parameter = table[name]!
    const found = given[name]
    const value: unknown = found === undefined ? parameter.default : parameter.parse(String(found))
    if (value === undefined) {
      throw new ParameterError(
        `${definition.name}: expected ${name} to be ${parameter.expected}, found ${JSON.stringify(found)}`,
      )
    }
    values[name] = value
  }
  return values as ParameterValues<P>
}

/** The same values as text, in the order of the table: for reports, snapshots and run ids. */
export function formatParameters<P extends ParameterTable>(
  table: P,
  values: ParameterValues<P>,
): Record<string, string> {
  return Object.fromEntries(Object.keys(table).map((name) => [name, table[name]!.format(values[name])]))
}
