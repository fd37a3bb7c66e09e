/** The OpenAPI document, made of the routes: what is served, what is committed and what is checked are the same. */
import { Type, type TObject, type TSchema } from '@sinclair/typebox'
import { Problem, PROBLEMS, type ProblemCode } from './problem.ts'
import { COMMON_PROBLEMS, pathOf, ROUTES, type Route } from './routes.ts'
import { CONTRACT_VERSION } from './service.ts'
import { SIGNATURE_HEADERS } from './signature.ts'
import { ClientMessage, ServerMessage } from './stream.ts'

type Json = Record<string, unknown>

/** Writes schemas with names once and refers to them; `const` unions of words become `enum`. */
class Components {
  readonly schemas: Record<string, Json> = {}
  readonly #prefix: string
  constructor(prefix: string) {
    this.#prefix = prefix
  }

  of(schema: TSchema): Json {
    const { title, ...rest } = schema
    if (typeof title !== 'string') return this.#write(rest)
    this.schemas[title] ??= this.#write(rest)
    return { $ref: `${this.#prefix}${title}` }
  }

  #write(schema: Json): Json {
    const written: Json = {}
    for (const [key, value] of Object.entries(schema)) {
      if (value === undefined) continue
      if (key === 'anyOf' && areWords(value))
        Object.assign(written, { type: 'string', enum: value.map((one) => one.const) })
      else if (key === 'anyOf') written['anyOf'] = (value as TSchema[]).map((one) => this.of(one))
      else if (key === 'items') written['items'] = this.of(value as TSchema)
      else if (key === 'properties') {
        const properties = Object.entries(value as Record<string, TSchema>)
        written['properties'] = Object.fromEntries(properties.map(([name, one]) => [name, this.of(one)]))
      } else written[key] = value
    }
    return written
  }
}

function areWords(value: unknown): value is { const: string }[] {
  return Array.isArray(value) && value.every((one: TSchema) => typeof one['const'] === 'string')
}

export function openApiDocument(): Json {
  const components = new Components('#/components/schemas/')
  const paths: Record<string, Json> = {}
  for (const route of ROUTES) {
    const path = (paths[pathOf(route)] ??= {})
    path[route.method.toLowerCase()] = operation(route, components)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'JTS Broker API',
      version: CONTRACT_VERSION,
      description:
        'The one contract by which a broker joins JTS. The WebSocket /api/v1/stream is told in stream.md, signatures in authentication.md. Requests with a field that is not named here are refused; answers may grow fields.',
    },
    servers: [{ url: 'http://127.0.0.1:8001' }],
    paths,
    components: {
      securitySchemes: Object.fromEntries(
        Object.entries(SIGNATURE_HEADERS).map(([name, header]) => [
          name,
          { type: 'apiKey', in: 'header', name: header },
        ]),
      ),
      schemas: sorted(components.schemas),
    },
  }
}

export function streamSchema(): Json {
  const components = new Components('#/$defs/')
  const anyOf = [components.of(ClientMessage), components.of(ServerMessage)]
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'JTS Broker API stream',
    anyOf,
    $defs: sorted(components.schemas),
  }
}

function operation(route: Route, components: Components): Json {
  const envelope =
    route.right === 'none'
      ? route.data
      : Type.Object({ success: Type.Literal(true), data: route.data, ...route.beside })
  const ok = (description: string): Json => ({
    description,
    content: { 'application/json': { schema: components.of(envelope) } },
  })
  const parameters = [
    ...parametersOf('path', route.params, components),
    ...parametersOf('query', route.query, components),
  ]
  return {
    operationId: route.operationId,
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    security:
      route.right === 'none' ? [] : [Object.fromEntries(Object.keys(SIGNATURE_HEADERS).map((name) => [name, []]))],
    ...(route.right === 'none' ? {} : { 'x-jts-right': route.right }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: components.of(route.body) } } } }),
    responses: {
      200: ok('Answered'),
      ...(route.right === 'none'
        ? { 503: ok('Down') }
        : problemsOf([...COMMON_PROBLEMS, ...route.problems], components)),
    },
  }
}

function parametersOf(where: 'path' | 'query', schema: TObject | undefined, components: Components): Json[] {
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => ({
    name,
    in: where,
    required: schema?.required?.includes(name) ?? false,
    schema: components.of(property),
  }))
}

function problemsOf(codes: readonly ProblemCode[], components: Components): Json {
  const byStatus: Record<number, ProblemCode[]> = {}
  for (const code of codes) (byStatus[PROBLEMS[code][0]] ??= []).push(code)
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, here]) => [
      status,
      { description: here.join(', '), content: { 'application/problem+json': { schema: components.of(Problem) } } },
    ]),
  )
}

function sorted(record: Record<string, Json>): Record<string, Json> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))
}
