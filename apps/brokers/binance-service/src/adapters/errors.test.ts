import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verdictOf } from './errors.ts'

const body = (code: number, msg: string): string => JSON.stringify({ code, msg })

const CASES: readonly (readonly [status: number, text: string, expected: string])[] = [
  [200, '{"a":1}', 'ok'],
  [200, '<html>', 'undecided'],
  [200, '', 'undecided'],
  [400, body(-2010, 'Account has insufficient balance for requested action.'), 'INSUFFICIENT_BALANCE'],
  [400, body(-2010, 'Market is closed.'), 'MARKET_CLOSED'],
  [400, body(-1013, 'Market is closed.'), 'MARKET_CLOSED'],
  [400, body(-2010, 'Order would immediately match and take.'), 'WOULD_TAKE'],
  [400, body(-2010, 'Quote order qty market orders are not support for this symbol.'), 'NOT_SUPPORTED'],
  [400, body(-2010, 'This symbol is not permitted for this account.'), 'NOT_SUPPORTED'],
  [400, body(-2010, 'This account may not place or cancel orders.'), 'REJECTED'],
  [400, body(-1013, 'Filter failure: LOT_SIZE'), 'FILTER_FAILURE'],
  [400, body(-1111, "Parameter 'quantity' has too much precision."), 'FILTER_FAILURE'],
  [400, body(-1021, 'Timestamp for this request is outside of the recvWindow.'), 'OUTSIDE_RECEIVE_WINDOW'],
  [400, body(-1022, 'Signature for this request is not valid.'), 'AUTHENTICATION'],
  [401, body(-2015, 'Invalid API-key, IP, or permissions for action.'), 'AUTHENTICATION'],
  [400, body(-1100, 'Illegal characters found in parameter.'), 'REJECTED'],
  [429, body(-1015, 'Too many new orders; current limit is 50 orders per 10 SECOND.'), 'RATE_LIMIT'],
  [418, '', 'RATE_LIMIT'],
  [400, body(-1006, 'An unexpected response was received. Execution status unknown.'), 'undecided'],
  [400, body(-1007, 'Timeout waiting for response from backend server.'), 'undecided'],
  [503, body(-1007, 'Timeout waiting for response from backend server.'), 'undecided'],
  [503, body(-1008, 'Server is currently overloaded with other requests.'), 'undecided'],
  [504, '', 'undecided'],
  [403, '<html>blocked</html>', 'undecided'],
  [302, '', 'undecided'],
]

for (const [status, text, expected] of CASES) {
  test(`HTTP ${status} ${text.slice(0, 60)} is ${expected}`, () => {
    const verdict = verdictOf({ status, text })
    assert.equal(verdict.kind === 'refused' ? verdict.code : verdict.kind, expected)
  })
}
