/** What every command shares: options with a type, help, errors for a person, exit codes that mean something. */
import { parseArgs } from 'node:util'

/** Exit codes: 0 done, 1 the command ran and the answer is no, 2 called wrongly or bad input, 70 broken (our own mistake). */
export const EXIT = { ok: 0, no: 1, usage: 2, broken: 70 } as const

/** Something that the person can mend: shown without a stack. */
export class UserError extends Error {
  override readonly name = 'UserError'
}

export type OptionSpec = {
  readonly type: 'text' | 'number' | 'flag' | 'list'
  readonly help: string
  /** What the value is called in help, for example FILE. */
  readonly value?: string
}

export type CommandSpec<O extends Record<string, OptionSpec>> = {
  readonly name: string
  readonly usage: string
  readonly summary: string
  readonly options: O
  readonly positionals?: { readonly min: number; readonly max: number }
}

type ValueOf<S extends OptionSpec> = S['type'] extends 'flag'
  ? boolean
  : S['type'] extends 'list'
    ? readonly string[]
    : (S['type'] extends 'number' ? number : string) | undefined
export type Parsed<O extends Record<string, OptionSpec>> = {
  readonly options: { readonly [K in keyof O]: ValueOf<O[K]> }
  readonly positionals: readonly string[]
}

/** Parses the arguments; prints help and returns undefined for `--help`. @throws UserError */
export function parseCommand<O extends Record<string, OptionSpec>>(
  spec: CommandSpec<O>,
  argv: readonly string[],
): Parsed<O> | undefined {
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(helpText(spec))
    return undefined
  }
  const options: Record<string, { type: 'string' | 'boolean'; multiple?: boolean }> = {}
  for (const [name, option] of Object.entries(spec.options)) {
    options[name] =
      option.type === 'flag'
        ? { type: 'boolean' }
        : { type: 'string', ...(option.type === 'list' && { multiple: true }) }
  }
  let parsed: ReturnType<typeof parseArgs>
  try {
    // An amount below zero is an argument, and no option.
    const [negative, args] = [argv.filter(isNegative), argv.filter((arg) => !isNegative(arg))]
    const all = negative.length === 0 ? args : [...args, '--', ...negative]
    parsed = parseArgs({ args: all, options, allowPositionals: true, strict: true })
  } catch (cause) {
    throw new UserError(`${(cause as Error).message}\nusage: ${spec.usage}\n(./jts ${spec.name} --help tells more)`, {
      cause,
    })
  }
  const { min, max } = spec.positionals ?? { min: 0, max: 0 }
  const count = parsed.positionals.length
  if (count < min || count > max) {
    throw new UserError(
      `expected ${min === max ? min : `${min} to ${max}`} argument(s), found ${count}\nusage: ${spec.usage}`,
    )
  }
  const values: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(spec.options)) {
    const value = parsed.values[name]
    if (option.type === 'flag') values[name] = value === true
    else if (option.type === 'list') values[name] = value ?? []
    else if (option.type === 'number' && value !== undefined) values[name] = numberOption(name, value as string)
    else values[name] = value
  }
  return { options: values as Parsed<O>['options'], positionals: parsed.positionals }
}

function isNegative(arg: string): boolean {
  return /^-\d+(\.\d+)?$/.test(arg)
}

function numberOption(name: string, text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value))
    throw new UserError(`--${name}: expected a number, found ${JSON.stringify(text)}`)
  return value
}

export function helpText(spec: CommandSpec<Record<string, OptionSpec>>): string {
  const rows = Object.entries(spec.options).map(([name, option]) => {
    const left = option.type === 'flag' ? `--${name}` : `--${name} ${option.value ?? 'VALUE'}`
    return `  ${left.padEnd(28)} ${option.help}`
  })
  return `${spec.summary}\n\nusage: ${spec.usage}\n\n${rows.join('\n')}\n`
}

/** `name=value` pairs of `--set`. */
export function parseSets(sets: readonly string[]): Record<string, string> {
  const result: Record<string, string> = {}
  for (const set of sets) {
    const cut = set.indexOf('=')
    if (cut <= 0) throw new UserError(`--set: expected name=value, found ${JSON.stringify(set)}`)
    result[set.slice(0, cut)] = set.slice(cut + 1)
  }
  return result
}
