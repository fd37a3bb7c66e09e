/** What a broker service says, read by the contract's schemas: anything else is unreadable, and said so. */
import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { TypeCompiler, type TypeCheck } from '@sinclair/typebox/compiler'
import { Problem, ServerMessage } from '@jts/contracts/broker-api'
import { BrokerError } from '@jts/broker-kit'

/** Compiled when it is first needed: most clients read few kinds of answers. */
export function reader<T extends TSchema>(name: string, schema: T): (value: unknown) => Static<T> {
  let check: TypeCheck<T> | undefined
  return (value) => {
    check ??= TypeCompiler.Compile(schema)
    if (check.Check(value)) return value
    const first = check.Errors(value).First()
    throw new BrokerError('UNREADABLE', `${name}${first?.path ?? ''}: ${first?.message ?? 'not as the contract says'}`)
  }
}

/** A reader of `{"success":true,"data":…}`. */
export function dataReader<T extends TSchema>(name: string, schema: T): (value: unknown) => Static<T> {
  const read = reader(name, Type.Object({ success: Type.Literal(true), data: schema }))
  return (value) => (read(value) as unknown as { data: Static<T> }).data
}

export const readServerMessage = reader('stream message', ServerMessage)
const readProblem = reader('problem', Problem)

/** A problem document of this contract whose code and status fit; undefined for whatever else has that status. */
export function problemOf(status: number, text: string): Problem | undefined {
  try {
    const problem = readProblem(JSON.parse(text))
    return problem.status === status ? problem : undefined
  } catch {
    return undefined
  }
}
