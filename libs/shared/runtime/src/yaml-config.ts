/** Configuration written by a person: YAML, checked against a schema, every complaint with file and line. */
import { readFileSync } from 'node:fs'
import { isNode, LineCounter, parseDocument } from 'yaml'
import type { z } from 'zod'

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** @throws ConfigError with one line per complaint: `jts.yaml:12: strategies.0.account: expected …, found …`. */
export function readYamlConfig<T>(file: string, schema: z.ZodType<T>): T {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new ConfigError(
      `${file}: expected a readable file, found ${(cause as NodeJS.ErrnoException).code ?? 'none'}`,
      {
        cause,
      },
    )
  }
  return parseYamlConfig(text, file, schema)
}

export function parseYamlConfig<T>(text: string, file: string, schema: z.ZodType<T>): T {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors
        .map((error) => `${file}:${lines.linePos(error.pos[0]).line}: expected YAML, found: ${error.message}`)
        .join('\n'),
    )
  }
  const lineOf = (path: readonly PropertyKey[]): number => {
    // The nearest part of the path that is written in the file.
    for (let length = path.length; length >= 0; length--) {
      const keys = path.slice(0, length) as (string | number)[]
      const node = length === 0 ? document.contents : document.getIn(keys, true)
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
    }
    return 1
  }
  const value = (document.toJS() ?? {}) as unknown
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const complaints = result.error.issues.map((issue) => {
    const path = issue.path.map(String).join('.')
    return `${file}:${lineOf(issue.path)}: ${path === '' ? '' : `${path}: `}${issue.message}${foundAt(value, issue.path)}`
  })
  throw new ConfigError(complaints.join('\n'))
}

/** A person may have pasted the secret itself where its name was asked for. */
const MAY_HOLD_A_SECRET = /key|secret|token|password|webhook|endpoint|url/i

/** What stands at a path: scalars as they are, so that the person sees what was read. */
function foundAt(value: unknown, path: readonly PropertyKey[]): string {
  let found: unknown = value
  for (const key of path) {
    if (typeof found !== 'object' || found === null) return ''
    found = (found as Record<PropertyKey, unknown>)[key]
  }
  if (found === undefined) return ''
  if (path.some((key) => MAY_HOLD_A_SECRET.test(String(key)))) return ', found something else'
  return typeof found === 'object' ? '' : `, found ${JSON.stringify(found)}`
}
