/** Mutual TLS: who shows no certificate of the right authority is told so, and answered nothing. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { Client, credentials, ServerCredentials, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js'
import { OrderExecutionServiceService } from '@jts/contracts/orders-api'
import { silentLogger } from '@jts/runtime'
import { Certificates } from './certificates.ts'
import { orderExecutionClient, RpcConnection, streamedRiskManagementClient } from './grpc-client.ts'
import { startRpcServer, type RpcServer } from './grpc-server.ts'
import { said, ScriptedApis } from './scripted-apis.ts'
import type { TlsFiles } from './tls.ts'

const folder = mkdtempSync(join(tmpdir(), 'jts-tls-'))
const certificates = new Certificates(folder)
const file = (name: string): string => certificates.file(name)
const files = (name: string, ca?: string): TlsFiles => certificates.files(name, ca)
const ACTIVE = { state: 'active', version: 1, reason: '', accounts: [], strategies: [] }

before(() => {
  certificates.authority('ca')
  certificates.authority('other-ca')
  certificates.certificate('server', 'ca')
  certificates.certificate('client', 'ca')
  certificates.certificate('stranger', 'other-ca')
  certificates.certificate('expired', 'ca', -1)
  certificates.certificate('elsewhere', 'ca', 2, 'DNS:elsewhere.example')
  writeFileSync(file('garbage.pem'), 'no certificate')
})

after(() => rmSync(folder, { recursive: true }))

const scripted = new ScriptedApis()
const open: { stop?(): Promise<void>; close?(): void }[] = []

beforeEach(() => {
  scripted.reset()
  scripted.answer = () => Promise.resolve(ACTIVE)
})

afterEach(async () => {
  for (const one of open.splice(0).reverse()) {
    one.close?.()
    await one.stop?.()
  }
})

async function serve(tls: TlsFiles, host = '127.0.0.1'): Promise<RpcServer> {
  const server = await startRpcServer({ host, port: 0, services: scripted.services, log: silentLogger, tls })
  open.push(server)
  return server
}

function connected(port: number, tls?: TlsFiles): RpcConnection {
  const connection = new RpcConnection({ address: `127.0.0.1:${port}`, tls })
  open.push(connection)
  return connection
}

/** One call at once, with whatever credentials: also those that our own client refuses to use. */
function ask(port: number, with_: ChannelCredentials): Promise<ServiceError | null> {
  const client = new Client(`127.0.0.1:${port}`, with_)
  const { path, requestSerialize, responseDeserialize } = OrderExecutionServiceService.getTradingState
  return new Promise((done) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      {},
      { deadline: Date.now() + 5000 },
      (error) => {
        client.close()
        done(error)
      },
    )
  })
}

const sslOf = ({ ca, cert, key }: TlsFiles): ChannelCredentials =>
  credentials.createSsl(readFileSync(ca), readFileSync(key), readFileSync(cert))

it('both ends of one authority speak, by call and by stream', async () => {
  const server = await serve(files('server'))
  const connection = connected(server.port, files('client'))
  assert.equal((await orderExecutionClient(connection).getTradingState({})).state, 'active')
  scripted.answer = () => Promise.resolve(said[0].answer)
  const { approved } = await streamedRiskManagementClient(connection).checkTradingRisk(said[0].request)
  assert.equal(approved, true)
  assert.equal(await connection.check(), 'serving')
})

it('a server with TLS may listen beyond the loopback address', async () => {
  const server = await serve(files('server'), '0.0.0.0')
  const connection = connected(server.port, files('client'))
  assert.equal((await orderExecutionClient(connection).getTradingState({})).state, 'active')
})

describe('nothing is answered', () => {
  // With TLS 1.3 a client learns only after its part of the handshake that it was refused, and sometimes only by the end.
  const refused =
    /certificate|alert|ECONNRESET|EPIPE|socket|Failed to connect|Connection closed before starting HTTP\/2 handshake/
  const callers: [string, () => ChannelCredentials, RegExp][] = [
    ['without a certificate', () => credentials.createSsl(readFileSync(file('ca.pem'))), refused],
    ['with a certificate of another authority', () => sslOf(files('stranger')), refused],
    ['with an expired certificate', () => sslOf(files('expired')), refused],
    ['who speaks plain text', () => credentials.createInsecure(), /./],
    ['who trusts another authority', () => sslOf(files('client', 'other-ca')), /certificate/],
  ]
  for (const [name, with_, expected] of callers) {
    it(`to a caller ${name}, who is told`, async () => {
      const { port } = await serve(files('server'))
      const error = await ask(port, with_())
      assert.ok(error !== null, 'expected an error')
      assert.equal(error.code, 14, error.details)
      assert.match(error.details, expected)
      assert.equal(scripted.calls.length, 0)
    })
  }

  it('to our own client with a certificate of another authority, who is told where to look', async () => {
    const { port } = await serve(files('server'))
    const orders = orderExecutionClient(connected(port, files('stranger', 'ca')))
    await assert.rejects(orders.getTradingState({}, { waitForReady: false }), {
      name: 'RpcError',
      code: 'UNAVAILABLE',
      message:
        /^no connection to 127\.0\.0\.1:\d+: .*\(is .*stranger\.pem of the authority that it trusts, and valid\?\)$/,
    })
    assert.equal(scripted.calls.length, 0)
  })

  it('by a server whose certificate is for another name', async () => {
    const { port } = await serve(files('elsewhere'))
    const orders = orderExecutionClient(connected(port, files('client')))
    await assert.rejects(orders.getTradingState({}, { waitForReady: false }), {
      name: 'RpcError',
      code: 'UNAVAILABLE',
      message: /not in the cert's list|does not match/,
    })
    assert.equal(scripted.calls.length, 0)
  })

  it('by a server whose certificate has expired meanwhile', async () => {
    const { Server } = await import('@grpc/grpc-js')
    const server = new Server()
    const pair = { private_key: readFileSync(file('expired.key')), cert_chain: readFileSync(file('expired.pem')) }
    const ssl = ServerCredentials.createSsl(readFileSync(file('ca.pem')), [pair], true)
    const port = await new Promise<number>((done) =>
      server.bindAsync('127.0.0.1:0', ssl, (_error, bound) => done(bound)),
    )
    open.push({ close: () => server.forceShutdown() })
    const orders = orderExecutionClient(connected(port, files('client')))
    const refused = { code: 'UNAVAILABLE', message: /expired/ }
    await assert.rejects(orders.getTradingState({}, { waitForReady: false }), refused)
  })
})

describe('what cannot work is said at the start', () => {
  const wrong: [string, () => TlsFiles, RegExp][] = [
    ['an expired certificate', () => files('expired'), /expired\.pem: expired on/],
    ['a file that is missing', () => files('nobody'), /nobody\.pem: cannot be read \(ENOENT\)/],
    ['a file that is no certificate', () => files('server', 'garbage'), /garbage\.pem: expected PEM/],
    [
      'the key of another',
      () => ({ ...files('server'), key: file('client.key') }),
      /expected the key of .*server\.pem/,
    ],
  ]
  for (const [name, tls, expected] of wrong) {
    it(`${name}, by server and client`, async () => {
      await assert.rejects(serve(tls()), { message: expected })
      assert.throws(() => connected(1, tls()), { message: expected })
    })
  }
})
