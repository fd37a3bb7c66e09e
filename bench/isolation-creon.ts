/** A stand-in for Creon's machine, as a process of its own: the Broker API over a broker in memory. Prints its address. */
import type { MarketDataPort } from '@jts/broker-kit'
import { parseKeys, startBrokerServer } from '@jts/broker-kit/server'
import { accountId, type InstrumentId } from '@jts/model'
import { silentLogger, systemClock } from '@jts/runtime'
import { FakeBroker } from '@jts/testkit/fake-broker'

const broker = new FakeBroker(systemClock, { broker: 'creon', clientOrderIds: 'none', absenceProof: 'none' })
const market = {
  capabilities: broker.capabilities,
  instruments: (wanted: readonly InstrumentId[]) => Promise.resolve(wanted.map((id) => ({ id }))),
} as unknown as MarketDataPort
const { url } = await startBrokerServer({
  ...{ service: 'creon stand-in', version: '0', port: 0, journalFile: undefined },
  ...{ market, wallClock: systemClock, log: silentLogger },
  accounts: [{ account: accountId('sim.creon.main'), broker }],
  keys: parseKeys({ keys: [{ id: 'bench', secret: 'the-secret-of-the-bench-0123456789ab', right: 'trade' }] }),
})
process.stdout.write(`${url}\n`)
process.stdin.once('end', () => process.exit(0)).resume()
