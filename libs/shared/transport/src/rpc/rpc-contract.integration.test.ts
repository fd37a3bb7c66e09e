/** The same suite for the direct call and for gRPC: a caller must not be able to tell them apart. */
import { silentLogger } from '@jts/runtime'
import { rpcContract } from './rpc-contract.ts'
import {
  orderExecutionClient,
  portfolioClient,
  riskManagementClient,
  RpcConnection,
  collectionClient,
  strategyClient,
  streamedRiskManagementClient,
} from './grpc-client.ts'
import { startRpcServer } from './grpc-server.ts'
import type { ScriptedApis } from './scripted-apis.ts'

async function overGrpc(apis: ScriptedApis, riskClient: typeof riskManagementClient) {
  const server = await startRpcServer({ host: '127.0.0.1', port: 0, services: apis.services, log: silentLogger })
  const connection = new RpcConnection({ address: `127.0.0.1:${server.port}`, deadlineMs: 20_000 })
  return {
    apis: {
      risk: riskClient(connection),
      portfolio: portfolioClient(connection),
      orders: orderExecutionClient(connection),
      strategy: strategyClient(connection),
      collection: collectionClient(connection),
    },
    close: async () => {
      connection.close()
      await server.stop()
    },
  }
}

rpcContract({ name: 'called directly', open: (apis) => Promise.resolve({ apis, close: () => Promise.resolve() }) })
rpcContract({ name: 'over gRPC', open: (apis) => overGrpc(apis, riskManagementClient) })
rpcContract({
  name: 'over gRPC, risk checks on the stream',
  open: (apis) => overGrpc(apis, streamedRiskManagementClient),
})
