import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LockStepReply, LockStepState } from '@jts/contracts/lock-step'
import { LockStep } from './lock-step.ts'

function venueWith(sent: Record<string, number>, total = 2) {
  const venue = {
    open: 0,
    position: 0,
    sent,
    state: (): LockStepState => ({
      position: venue.position,
      released: venue.position,
      total,
      timeUs: 0,
      done: venue.position === total,
      inputsSha256: '',
      openRequests: venue.open,
      sent: { ...sent },
    }),
    release: () => {
      venue.position++
      return 'close' as const
    },
    sentOn: (port: string) => sent[port],
    openRequests: () => venue.open,
  }
  const lockStep = new LockStep(venue, ['secret', 'second'])
  const replies: LockStepReply[] = []
  const receive = lockStep.session((text) => replies.push(JSON.parse(text) as LockStepReply))
  const ask = (message: object | string) => {
    receive(typeof message === 'string' ? message : JSON.stringify(message))
    const reply = replies.pop()
    return reply?.type === 'refused' ? reply.reason : (reply?.type ?? 'nothing')
  }
  return { venue, lockStep, ask, replies }
}
const attach = { type: 'attach', id: 1, token: 'secret' }
const release = (at: number, received: object = {}) => ({ type: 'release', id: 2, at, received })

test('refuses everything before the right token', () => {
  const { ask } = venueWith({})
  assert.equal(ask(release(0)), 'token')
  assert.equal(ask({ ...attach, token: 'other' }), 'token')
  assert.equal(ask('{'), 'malformed')
  assert.equal(ask(attach), 'state')
  assert.equal(ask({ ...attach, token: 'second' }), 'state')
})

test('releases only at its position, so a repeated release changes nothing', () => {
  const { ask, venue } = venueWith({})
  ask(attach)
  assert.equal(ask(release(1)), 'position')
  assert.equal(ask(release(0)), 'released')
  assert.equal(ask(release(0)), 'position')
  assert.equal(venue.position, 1)
  assert.equal(ask(release(1)), 'released')
  assert.equal(ask(release(2)), 'done')
})

test('releases only when every claimed connection has been read to the end', () => {
  const { ask } = venueWith({ 5000: 3, 6000: 9 })
  ask(attach)
  assert.equal(ask(release(0, { 5000: 2 })), 'counters')
  assert.equal(ask(release(0, { 7000: 0 })), 'counters')
  assert.equal(ask(release(0, { 5000: 3 })), 'released')
})

test('an open request holds back releases and looks until it is answered', () => {
  const { ask, venue, lockStep, replies } = venueWith({})
  ask(attach)
  venue.open = 1
  assert.equal(ask(release(0)), 'counters')
  assert.equal(ask({ type: 'look', id: 9 }), 'nothing')
  lockStep.onIdle()
  assert.equal(replies.length, 0)
  venue.open = 0
  lockStep.onIdle()
  assert.equal(replies.pop()?.id, 9)
})
