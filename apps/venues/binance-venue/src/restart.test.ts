import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { recordWalk, spawnVenue, type VenueClient } from './testing/venue-client.ts'

const BUY = { side: 'BUY', type: 'MARKET', quantity: '1' }

async function truth(client: VenueClient): Promise<object> {
  const symbol = { symbol: 'BTCUSDT' }
  return {
    balances: await client.balances(),
    orders: await client.ask('/api/v3/allOrders', symbol),
    trades: await client.ask('/api/v3/myTrades', symbol),
    open: await client.ask('/api/v3/openOrders', symbol),
  }
}

test('a venue killed at any point comes back on its port with the same keys, orders, balances and position', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'venue-data-'))
  const argv = ['--replay', recordWalk('BTCUSDT', 60), '--data-dir', dataDir]
  let { child, client } = await spawnVenue(...argv)
  t.after(() => child.kill('SIGKILL'))
  const address = client.address
  for (let round = 0; round < 3; round++) {
    const conductor = await client.conductor()
    while ((await conductor.release()) !== 'close');
    // A fill, a resting order, and an accepted order that is still waiting when the venue dies.
    await client.order({ ...BUY, newClientOrderId: `fill-${round}` })
    await conductor.release()
    await client.order({ side: 'BUY', type: 'LIMIT', timeInForce: 'GTC', quantity: '1', price: `${50 + round}` })
    await conductor.release()
    await client.order({ ...BUY, newClientOrderId: `wait-${round}` })
    const before = await truth(client)
    const position = conductor.position
    child.kill('SIGKILL')
    await once(child, 'exit')
    ;({ child, client } = await spawnVenue(...argv))
    assert.deepEqual({ ...client.address, pid: 0 }, { ...address, pid: 0 })
    assert.deepEqual(await truth(client), before)
    const resumed = await client.conductor()
    assert.equal(resumed.position, position)
    const again = await resumed.ask({ type: 'release', at: position - 1, received: {} })
    assert.equal(again.type === 'refused' && again.reason, 'position')
    assert.equal(await resumed.release(), 'open')
    const trades = await client.ask<object[]>('/api/v3/myTrades', { symbol: 'BTCUSDT' })
    assert.equal(trades.length, (round + 1) * 2)
  }
  assert.equal(statSync(join(dataDir, 'keys.json')).mode & 0o777, 0o600)
  child.stdin!.end()
  const [code] = (await once(child, 'exit')) as [number]
  assert.equal(code, 0)
})
