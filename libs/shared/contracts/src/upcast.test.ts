import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeEvent, encodeEvent, Envelope, EventError, type NewEvent } from './index.ts'
import type { Upcasters } from './upcast.ts'

const rejected: NewEvent = {
  type: 'OrderRejected',
  stream: 'sim.binance.main',
  account: 'sim.binance.main',
  correlationId: 'c',
  causationId: '',
  timeEventUs: 5,
  payload: { ref: undefined, clientOrderId: 'o1', reasonCode: '-2010', reason: 'no' },
}
const eventId = 'orders.events/sim.binance.main/1'

/** The bytes as a JTS wrote them that was at this version of the type. */
function writtenAt(version: number, type = 'OrderRejected'): Uint8Array {
  const envelope = Envelope.decode(encodeEvent(rejected, eventId, 1))
  return Envelope.encode({ ...envelope, version, type }).finish()
}

const read = (bytes: Uint8Array, upcasters?: Upcasters) => decodeEvent(bytes, 'orders.events', 3, 7, upcasters)

/** Two changes of meaning: codes got a prefix, then the reason got a full stop. */
const later: Upcasters = {
  OrderRejected: [
    (payload) => ({ ...payload, reasonCode: `VENUE_${payload.reasonCode}` }),
    (payload) => ({ ...payload, reason: `${payload.reason}.` }),
  ],
}

test('an event of an older version goes through every later step, in order', () => {
  const cases = [
    [1, 'VENUE_-2010', 'no.'],
    [2, '-2010', 'no.'],
    [3, '-2010', 'no'],
  ] as const
  for (const [version, reasonCode, reason] of cases) {
    const event = read(writtenAt(version), later)
    assert.equal(event.version, 3)
    assert.deepEqual(event.payload, { ...rejected.payload, reasonCode, reason })
  }
})

test('what is written today is read back as it was', () => {
  const event = read(encodeEvent(rejected, eventId, 1))
  assert.equal(event.version, 1)
  assert.deepEqual(event.payload, rejected.payload)
})

test('an unknown newer version, or type, is refused, and says whose it is', () => {
  for (const [bytes, message] of [
    [writtenAt(2), /expected OrderRejected of version 1 to 1 at orders.events\[3\]@7, found 2: a newer JTS/],
    [writtenAt(0), /found 0/],
    [writtenAt(1, 'OrderMelted'), /expected a known event type .* found "OrderMelted"/],
  ] as const) {
    assert.throws(
      () => read(bytes),
      (error: unknown) => {
        assert.ok(error instanceof EventError)
        assert.match(error.message, message)
        const place = { stream: 'sim.binance.main', sequence: 1 }
        assert.deepEqual(error.event, { topic: 'orders.events', eventId, account: 'sim.binance.main', ...place })
        return true
      },
    )
  }
  assert.throws(() => read(Uint8Array.of(255, 1)), /do not parse/)
})
