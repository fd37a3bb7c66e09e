import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { OrderView, SnapshotView, StatusView, StreamMessage } from '../views.ts'
import { INITIAL, reduce, ROWS_MAX, type LiveState } from './reducer.ts'

const status = (marketTimeUs: number) => ({ mode: 'sim', tradingState: 'active', marketTimeUs }) as StatusView
const order = (orderId: string, state: OrderView['status'], timeUs = 1) =>
  ({ orderId, status: state, timeUs }) as OrderView
const snapshot = (orders: OrderView[] = [], marketTimeUs = 10): SnapshotView => ({
  status: status(marketTimeUs),
  portfolio: { accounts: [] },
  orders,
  fills: [],
  decisions: [],
})
const heard = (state: LiveState, message: StreamMessage, atMs = 1): LiveState =>
  reduce(state, { type: 'heard', message, atMs })
const live = heard(INITIAL, { type: 'snapshot', data: snapshot([order('a', 'accepted')]) })

describe('live state', () => {
  it('is live once the stream has sent its snapshot', () => {
    assert.equal(INITIAL.connection, 'connecting')
    assert.equal(live.connection, 'live')
    assert.equal(live.orders.length, 1)
  })
  it('shows a snapshot asked for by REST without calling it live', () => {
    const state = reduce(INITIAL, { type: 'loaded', snapshot: snapshot(), atMs: 5 })
    assert.equal(state.connection, 'connecting')
    assert.equal(state.status?.mode, 'sim')
  })
  it('prefers the snapshot of the stream to one asked for by REST', () => {
    assert.equal(reduce(live, { type: 'loaded', snapshot: snapshot(), atMs: 9 }), live)
  })
  it('changes a known order in its place and puts a new one on top', () => {
    const changed = heard(live, { type: 'order', data: order('a', 'filled') })
    assert.deepEqual(changed.orders, [order('a', 'filled')])
    const added = heard(changed, { type: 'order', data: order('b', 'submitting') })
    assert.deepEqual(
      added.orders.map(({ orderId }) => orderId),
      ['b', 'a'],
    )
  })
  it('shows a fill once however often it is told', () => {
    const data = { fillId: 'f', timeUs: 3 } as never
    const twice = heard(heard(live, { type: 'fill', data }), { type: 'fill', data })
    assert.equal(twice.fills.length, 1)
  })
  it('keeps a bounded number of rows', () => {
    let state = live
    for (let index = 0; index < ROWS_MAX + 50; index++) {
      state = heard(state, { type: 'order', data: order(`o${index}`, 'filled') })
    }
    assert.equal(state.orders.length, ROWS_MAX)
    assert.equal(state.orders[0]!.orderId, `o${ROWS_MAX + 49}`)
  })
  it('moves market time forward only, and starts again with a new snapshot', () => {
    const later = heard(live, { type: 'order', data: order('b', 'filled', 50) })
    assert.equal(later.marketTimeUs, 50)
    assert.equal(heard(later, { type: 'status', data: status(20) }).marketTimeUs, 50)
    assert.equal(heard(later, { type: 'snapshot', data: snapshot([], 20) }).marketTimeUs, 20)
  })
  it('keeps what it knew, and since when, while the connection is lost', () => {
    const lost = reduce(heard(live, { type: 'heartbeat', data: { timeUs: 1 } }, 77), { type: 'lost' })
    assert.equal(lost.connection, 'lost')
    assert.equal(lost.heardAtMs, 77)
    assert.equal(lost.orders.length, 1)
    assert.equal(heard(lost, { type: 'snapshot', data: snapshot() }).connection, 'live')
  })
})
