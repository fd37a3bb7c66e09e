/** Runs inside a test file's process (`--test-reporter`) and tells the runner what happened, one JSON object a line. */
import { inspect } from 'node:util'

type TestEvent = {
  readonly type: string
  readonly data: {
    readonly name: string
    readonly nesting: number
    readonly skip?: string | boolean
    readonly todo?: string | boolean
    readonly details?: {
      readonly type?: string
      readonly error?: { readonly failureType?: string; readonly cause?: unknown }
    }
  }
}

export type TestLine =
  | { readonly kind: 'passed'; readonly name: string }
  | { readonly kind: 'failed'; readonly name: string; readonly details: string }
  /** All tests have ended; a file that stops before has no such line. */
  | { readonly kind: 'ended' }

export default async function* reporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const names: string[] = []
  for await (const event of events) {
    if (event.type === 'test:start') names[event.data.nesting] = event.data.name
    const line = toLine(event, names)
    if (line) yield `${JSON.stringify(line)}\n`
  }
}

function toLine({ type, data }: TestEvent, names: readonly string[]): TestLine | undefined {
  if (type === 'test:summary') return { kind: 'ended' }
  if (type !== 'test:pass' && type !== 'test:fail') return undefined

  const name = [...names.slice(0, data.nesting), data.name].join(' › ')
  const group = data.details?.type === 'suite'
  if (data.skip !== undefined) return { kind: 'failed', name, details: 'skipped: every test must run' }
  if (data.todo !== undefined) return { kind: 'failed', name, details: 'still to do: every test must run' }
  if (type === 'test:pass') return group ? undefined : { kind: 'passed', name }

  const error = data.details?.error
  if (error?.failureType !== 'subtestsFailed')
    return { kind: 'failed', name, details: inspect(error?.cause ?? error, { depth: 10 }) }
  return group ? undefined : { kind: 'failed', name, details: '' }
}
