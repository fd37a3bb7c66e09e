import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { DOCUMENTS, documentUrl } from './documents.ts'
import {
  Candle,
  ClientMessage,
  PlaceOrderRequest,
  Problem,
  PROBLEM_CODES,
  ROUTES,
  ServerMessage,
  pathOf,
  PlaceOutcome,
} from './index.ts'
import { SIGNATURE_VECTORS } from './vectors.ts'

for (const [name, text] of Object.entries(DOCUMENTS)) {
  test(`${name} is what the schemas say`, () => {
    const committed = readFileSync(documentUrl(name), 'utf8')
    assert.equal(committed, text(), `write it anew: node libs/shared/contracts/src/broker-api/documents.ts`)
  })
}

test('the examples of the prose are what the schemas say', () => {
  const server = TypeCompiler.Compile(ServerMessage)
  const client = TypeCompiler.Compile(ClientMessage)
  const lines = readFileSync(documentUrl('stream.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{"'))
  assert.equal(lines.length, 6)
  for (const line of lines) {
    const message: unknown = JSON.parse(line)
    const checker = line.startsWith('{"op"') ? client : server
    assert.deepEqual([...checker.Errors(message)], [], line)
  }
  const [answer, notSent, problem] = [
    ...readFileSync(documentUrl('README.md'), 'utf8').matchAll(/```json\n([\s\S]*?)```/g),
  ].map((match) => JSON.parse(match[1]!) as { data: unknown })
  const outcome = TypeCompiler.Compile(PlaceOutcome)
  assert.deepEqual([...outcome.Errors(answer!.data)], [])
  assert.deepEqual([...outcome.Errors(notSent!.data)], [])
  assert.deepEqual([...TypeCompiler.Compile(Problem).Errors(problem)], [])
})

test('the order that is signed in the vectors is one that the schema takes', () => {
  const body: unknown = JSON.parse(SIGNATURE_VECTORS.find((vector) => vector.method === 'POST')!.body)
  assert.deepEqual([...TypeCompiler.Compile(PlaceOrderRequest).Errors(body)], [])
})

test('decimals are canonical text and nothing else', () => {
  const order = JSON.parse(SIGNATURE_VECTORS.find((vector) => vector.method === 'POST')!.body) as object
  const checker = TypeCompiler.Compile(PlaceOrderRequest)
  for (const quantity of ['1', '0.1', '10.00000001', '9223372036854775807']) {
    assert.equal(checker.Check({ ...order, quantity }), true, quantity)
  }
  for (const quantity of [
    '0',
    '-1',
    '1.0',
    '01',
    '.5',
    '1.',
    '1e3',
    '+1',
    ' 1',
    '1\n',
    '0.000000001',
    'NaN',
    '１',
    1,
    null,
    '',
  ]) {
    assert.equal(checker.Check({ ...order, quantity }), false, JSON.stringify(quantity))
  }
})

test('every problem code is used by some route or by the stream', () => {
  const everywhere = ['NOT_FOUND', 'METHOD_NOT_ALLOWED', 'INVALID_REQUEST', 'INTERNAL', 'RATE_LIMITED', 'FORBIDDEN']
  const authentication = ['AUTHENTICATION_MISSING', 'AUTHENTICATION_FAILED', 'CLOCK_SKEW', 'NONCE_REUSED']
  const used = new Set<string>([...ROUTES.flatMap((route) => route.problems), ...everywhere, ...authentication])
  assert.deepEqual(
    PROBLEM_CODES.filter((code) => !used.has(code)),
    [],
  )
})

test('no path is there twice under one method', () => {
  const names = ROUTES.map((route) => `${route.method} ${pathOf(route)}`)
  assert.equal(new Set(names).size, names.length)
})

test('a candle of the document is what the schema says', () => {
  const [example] = Candle['examples'] as unknown[]
  assert.deepEqual([...TypeCompiler.Compile(Candle).Errors(example)], [])
})
