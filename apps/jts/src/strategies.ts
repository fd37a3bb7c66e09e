/** Finds a strategy by the name of a shipped one or by the path of a file, and checks its parameters. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  checkMarket,
  parseParameters,
  warmUpOf,
  type AnyStrategy,
  type ParameterTable,
  type ParameterValues,
} from '@jts/strategy-kit'
import { filesOf, loadStrategy } from '@jts/strategy-kit/load'
import { UserError } from './cli.ts'

const SHIPPED = resolve(fileURLToPath(import.meta.url), '../../../../strategies')

export type LoadedStrategy = {
  readonly definition: AnyStrategy
  readonly parameters: ParameterValues<ParameterTable>
  /** The parameters as they were given, in text. */
  readonly given: Readonly<Record<string, string>>
  readonly file: string
  /** Of the file, or of it and all that it imports from files. */
  readonly sha256: string
}

export async function findStrategy(
  nameOrPath: string,
  given: Readonly<Record<string, string | number | boolean>>,
): Promise<LoadedStrategy> {
  const shipped = resolve(SHIPPED, `${nameOrPath}.ts`)
  const file = /^[\w.-]+$/.test(nameOrPath) && existsSync(shipped) ? shipped : resolve(nameOrPath)
  if (!existsSync(file)) {
    throw new UserError(
      `expected the name of a shipped strategy (strategies/NAME.ts) or the path of a strategy file, found ${JSON.stringify(nameOrPath)}`,
    )
  }
  const definition = await loadStrategy(file)
  const texts = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]))
  const parameters = parseParameters(definition, texts) as ParameterValues<ParameterTable>
  // It may depend on them.
  warmUpOf(definition, parameters)
  return {
    definition,
    parameters,
    given: texts,
    file,
    sha256: hashOf(file),
  }
}

/** Of a file that imports none its own hash, as any tool finds it; else that of the lines «hash  path», as `sha256sum` writes them. */
function hashOf(strategy: string): string {
  const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex')
  const folder = dirname(strategy)
  const files = filesOf(strategy).toSorted()
  if (files.length === 1) return sha256(readFileSync(strategy))
  return sha256(files.map((file) => `${sha256(readFileSync(file))}  ${relative(folder, file)}\n`).join(''))
}

/** Where a strategy comes from, as the record of its inputs names it. */
export function sourceOf({ file, sha256 }: LoadedStrategy): { readonly file: string; readonly sha256: string } {
  return { file, sha256 }
}

/**
 * What a live strategy runs on: bars of the timeframe wanted, else of its own, else of the usual one. One that handles
 * trades and no bars runs on trades, which is undefined here. @throws StrategyError when it handles nothing of that.
 */
export function timeframeOf(definition: AnyStrategy, wanted: string | undefined, usual: string): string | undefined {
  const isOfTrades = definition.onTrade !== undefined && definition.onBar === undefined
  const timeframe = wanted ?? (isOfTrades ? undefined : (definition.bars?.timeframe ?? usual))
  checkMarket(definition, { timeframe })
  return timeframe
}
