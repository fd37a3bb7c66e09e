import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { spawnVenue, type VenueClient } from './testing/venue-client.ts'

type Answer = { status: number; body: Record<string, string> }

async function move({ address }: VenueClient, body: unknown, token = address.controlToken): Promise<Answer> {
  const response = await fetch(`${address.restUrl}/jts/balances`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as Record<string, string> }
}

test('money that was moved is there after a kill; who has no token, asks for nonsense or for too much moves none', async (t) => {
  const argv = ['--symbols', 'BTCUSDT', '--data-dir', mkdtempSync(join(tmpdir(), 'venue-balances-'))]
  let { child, client } = await spawnVenue(...argv)
  t.after(() => child.kill('SIGKILL'))
  const before = await client.balances()
  const asset = 'BNB'
  for (const [status, body, token] of [
    [401, { asset, amount: '1' }, 'guess'],
    [401, { asset, amount: '1' }, ''],
    [400, 'no json', undefined],
    [400, { asset: 'bnb', amount: '1' }, undefined],
    [400, { asset, amount: '0' }, undefined],
    [400, { asset, amount: 1 }, undefined],
    [400, { asset, amount: '1', account: 'nobody' }, undefined],
    [400, { asset, amount: '1', notice: 'no' }, undefined],
    [409, { asset, amount: '-0.00000001' }, undefined],
  ] as const) {
    const refused = await move(client, body, token)
    assert.equal(refused.status, status, JSON.stringify(body))
    assert.match(refused.body['error']!, /expected .*found/)
  }
  assert.deepEqual(await client.balances(), before)
  assert.deepEqual((await move(client, { asset, amount: '3.5' })).body, { asset, free: '3.5', locked: '0' })
  assert.equal((await move(client, { asset, amount: '-1' }, client.address.apiSecret)).status, 200)
  const moved = await client.balances()
  child.kill('SIGKILL')
  await once(child, 'exit')
  ;({ child, client } = await spawnVenue(...argv))
  assert.deepEqual(await client.balances(), moved)
  assert.notDeepEqual(moved, before)
})
