/**
 * Loads a strategy file from anywhere on disk. A file outside the repository has no `node_modules` of ours beside it, so
 * its imports of the strategy packages are led here.
 */
import { existsSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { checkDefinition, StrategyError, type AnyStrategy } from './define-strategy.ts'

const SHARED = /^@jts\/(strategy-kit|model)(\/|$)/
let hooked = false

function hookImports(): void {
  if (hooked) return
  hooked = true
  registerHooks({
    resolve: (specifier, context, nextResolve) =>
      SHARED.test(specifier)
        ? nextResolve(specifier, { ...context, parentURL: import.meta.url })
        : nextResolve(specifier, context),
    load: (url, context, nextLoad) => {
      // A lone file has no package.json to say that it is a module; without this, Node guesses and warns.
      const isLoneModule = context.format === undefined || context.format === null
      return nextLoad(url, isLoneModule && /\.m?ts$/.test(url) ? { ...context, format: 'module-typescript' } : context)
    },
  })
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
