/**
 * Loads a strategy file from anywhere on disk. A file outside the repository has no `node_modules` of ours beside it, so
 * its imports of the strategy packages are led here.
 */
import { existsSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { checkDefinition, StrategyError, type AnyStrategy } from './define-strategy.ts'

const SHARED = /^@jts\/(strategy-kit|model)(\/|$)/
/** An import of a file, not of a package. */
const OF_FILE = /^(\.{0,2}\/|file:)/
let hooked = false
/** What each module imports from files, by their URLs. */
const imported = new Map<string, Set<string>>()

/** The strategy's file and all that it imports from files, so far as it has been loaded. */
export function filesOf(path: string): readonly string[] {
  const found = new Set([pathToFileURL(resolve(path)).href])
  // A set is walked on through what is added to it meanwhile.
  for (const url of found) for (const one of imported.get(url) ?? []) found.add(one)
  return [...found].map((url) => fileURLToPath(url))
}

function hookImports(): void {
  if (hooked) return
  hooked = true
  registerHooks({
    resolve: (specifier, context, nextResolve) => {
      if (SHARED.test(specifier)) return nextResolve(specifier, { ...context, parentURL: import.meta.url })
      const found = nextResolve(specifier, context)
      if (OF_FILE.test(specifier) && context.parentURL !== undefined) noteImport(context.parentURL, found.url)
      return found
    },
    load: (url, context, nextLoad) => {
      // A lone file has no package.json to say that it is a module; without this, Node guesses and warns.
      const isLoneModule = context.format === undefined || context.format === null
      return nextLoad(url, isLoneModule && /\.m?ts$/.test(url) ? { ...context, format: 'module-typescript' } : context)
    },
  })
}

function noteImport(by: string, url: string): void {
  if (!url.startsWith('file:')) return
  const known = imported.get(by)
  if (known === undefined) imported.set(by, new Set([url]))
  else known.add(url)
}

/** @throws StrategyError naming the file, what was expected and what was found. */
export async function loadStrategy(path: string): Promise<AnyStrategy> {
  const file = resolve(path)
  if (!existsSync(file)) throw new StrategyError(`${path}: expected a strategy file, found none`)
  if (!/\.(ts|mts|js|mjs)$/.test(file))
    throw new StrategyError(`${path}: expected a .ts or .js file, found another kind`)
  hookImports()
  let loaded: { readonly default?: unknown }
  try {
    loaded = (await import(pathToFileURL(file).href)) as typeof loaded
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error)
    throw new StrategyError(`${path}: expected a strategy file that loads, found: ${found}`, { cause: error })
  }
  if (loaded.default === undefined) {
    throw new StrategyError(`${path}: expected \`export default defineStrategy({ … })\`, found no default export`)
  }
  try {
    checkDefinition(loaded.default)
  } catch (error) {
    throw new StrategyError(`${path}: ${(error as Error).message}`, { cause: error })
  }
  return loaded.default
}
