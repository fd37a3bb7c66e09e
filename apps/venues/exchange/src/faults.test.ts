import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Faults } from './faults.ts'

test('reads counts, rates and flags, and refuses what it does not know', () => {
  const faults = new Faults(['drop-user-event=2', 'duplicate-user-event=3', 'reply-after-event', 'hang-after-accept=4'])
  assert.deepEqual(
    [1, 2, 3].map((fill) => faults.reportsOf(fill)),
    [1, 0, 2],
  )
  assert.equal(faults.isReplyAfterEvent, true)
  assert.deepEqual([faults.afterAccept(3), faults.afterAccept(4)], [undefined, 'hang'])
  assert.equal(new Faults(['drop-user-event=every']).reportsOf(17), 0)
  for (const text of ['nonsense', 'phantom-fill', 'phantom-fill=0', 'reply-after-event=1', 'balance-fee=2']) {
    assert.throws(() => new Faults([text]), /expected a/)
  }
})
