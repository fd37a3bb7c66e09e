/** How far a local venue is with what it replays, asked beside its protocol, which counts each question. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { LockStepReply, LockStepRequest } from '@jts/contracts'
import WebSocket from 'ws'

/** Trades or bars that it has told so far. */
export async function toldBy(venue: { readonly controlUrl: string; readonly controlToken: string }): Promise<number> {
  const socket = new WebSocket(venue.controlUrl)
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'attach', id: 1, token: venue.controlToken } satisfies LockStepRequest))
  const [data] = (await once(socket, 'message')) as [Buffer]
  socket.close()
  const reply = JSON.parse(String(data)) as LockStepReply
  assert.ok(reply.type === 'state')
  return reply.state.released
}
