/** The user's proto text, unchanged but for the messages that the design names, against `jts serve`. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { startJts, type JtsProcess } from '@jts/testkit'

const DOCUMENT = `syntax = "proto3";

service RiskManagementService {
  rpc CheckTradingRisk(RiskCheckRequest) returns (RiskCheckResponse);
  rpc CalculatePositionSize(PositionSizeRequest) returns (PositionSizeResponse);
}
service PortfolioService {
  rpc GetCurrentPortfolio(PortfolioRequest) returns (PortfolioResponse);
  rpc StreamPositionUpdates(Empty) returns (stream PositionUpdate);
}
message RiskCheckRequest {
  string correlation_id = 1;
  string symbol = 2;
  double quantity = 3;
  double price = 4;
  string side = 5; // "buy" or "sell"
  Portfolio current_portfolio = 6;
}
message RiskCheckResponse {
  bool approved = 1;
  double adjusted_quantity = 2;
  string rejection_reason = 3;
  double risk_score = 4;
}
message Portfolio { double cash = 1; repeated Position positions = 2; }
message Position { string symbol = 1; double quantity = 2; double average_price = 3; }
message Empty {}
message PositionSizeRequest { string correlation_id = 1; string symbol = 2; double price = 3; }
message PositionSizeResponse { double quantity = 1; }
message PortfolioRequest {}
message PortfolioResponse {}
message PositionUpdate {}
`

type Answer = { approved: boolean; adjusted_quantity: number; rejection_reason: string; risk_score: number }
type Client = grpc.Client &
  Record<string, (request: unknown, callback: (error: grpc.ServiceError | null, answer: Answer) => void) => void>

const folder = mkdtempSync(join(tmpdir(), 'jts-serve-'))
let service: JtsProcess
let address: string
let risk: Client

before(async () => {
  writeFileSync(join(folder, 'document.proto'), DOCUMENT)
  service = startJts(['serve', 'risk-management', '--grpc-port', '0', '--data-dir', join(folder, 'risk'), '--json'])
  address = (JSON.parse(await service.firstLine) as { address: string }).address
  const definition = grpc.loadPackageDefinition(
    loadSync(join(folder, 'document.proto'), { keepCase: true, defaults: true }),
  )
  const Service = definition['RiskManagementService'] as unknown as new (...args: unknown[]) => Client
  risk = new Service(address, grpc.credentials.createInsecure())
})

after(async () => {
  risk.close()
  service.child.kill('SIGTERM')
  const { code } = await service.ended
  assert.equal(code, 0)
  rmSync(folder, { recursive: true, force: true })
})

function check(request: Record<string, unknown>): Promise<Answer> {
  return new Promise((done, fail) => {
    risk['CheckTradingRisk']!(request, (error, answer) => (error ? fail(error) : done(answer)))
  })
}

const asked = {
  correlation_id: 'c-1',
  symbol: 'BTCUSDT',
  quantity: 0.01,
  price: 60000,
  side: 'buy',
  current_portfolio: { cash: 100000, positions: [] },
}

test('a buy within the cash is approved with its own quantity', async () => {
  const answer = await check(asked)
  assert.deepEqual(answer, {
    approved: true,
    adjusted_quantity: 0.01,
    rejection_reason: '',
    risk_score: answer.risk_score,
  })
  assert.ok(answer.risk_score > 0 && answer.risk_score < 1)
})

test('a buy beyond the cash is denied with a reason and nothing adjusted', async () => {
  const answer = await check({ ...asked, quantity: 1000 })
  assert.equal(answer.approved, false)
  assert.equal(answer.adjusted_quantity, 0)
  assert.match(answer.rejection_reason, /expected .*found/)
})

test('a buy that needs exactly the cash is approved', async () => {
  const answer = await check({ ...asked, current_portfolio: { cash: 600, positions: [] } })
  assert.equal(answer.approved, true)
})

test('a sale is judged by the position given', async () => {
  const position = { symbol: 'BTCUSDT', quantity: 0.02, average_price: 50000 }
  const held = { ...asked, side: 'sell', current_portfolio: { cash: 0, positions: [position] } }
  assert.equal((await check(held)).approved, true)
  assert.equal((await check({ ...held, quantity: 0.03 })).approved, false)
})

const wrong: readonly [string, Record<string, unknown>, grpc.status, RegExp][] = [
  ['no correlation id', { correlation_id: '' }, grpc.status.INVALID_ARGUMENT, /correlation_id/],
  ['no symbol', { symbol: '' }, grpc.status.INVALID_ARGUMENT, /symbol/],
  ['an unknown symbol', { symbol: 'NOPE' }, grpc.status.NOT_FOUND, /NOPE/],
  ['no quantity', { quantity: 0 }, grpc.status.INVALID_ARGUMENT, /quantity/],
  ['a negative quantity', { quantity: -1 }, grpc.status.INVALID_ARGUMENT, /quantity.*-1/],
  ['a quantity that is no number', { quantity: NaN }, grpc.status.INVALID_ARGUMENT, /quantity/],
  ['an infinite quantity', { quantity: Infinity }, grpc.status.INVALID_ARGUMENT, /quantity/],
  ['no price', { price: 0 }, grpc.status.INVALID_ARGUMENT, /price/],
  ['no side', { side: '' }, grpc.status.INVALID_ARGUMENT, /side/],
  ['another side', { side: 'hold' }, grpc.status.INVALID_ARGUMENT, /side.*hold/],
  ['no portfolio', { current_portfolio: undefined }, grpc.status.INVALID_ARGUMENT, /current_portfolio/],
]

for (const [name, change, code, said] of wrong) {
  test(`a request with ${name} is answered with a status that names the field`, async () => {
    await assert.rejects(check({ ...asked, ...change }), (error: grpc.ServiceError) => {
      assert.equal(error.code, code)
      assert.match(error.details, said)
      return true
    })
  })
}

test('health says that the service serves, and that another one is not here', async () => {
  const proto = join(import.meta.dirname, '../../../libs/shared/contracts/proto/grpc/health/v1/health.proto')
  const definition = grpc.loadPackageDefinition(loadSync(proto)) as unknown as {
    grpc: { health: { v1: { Health: new (...args: unknown[]) => Client } } }
  }
  const health = new definition.grpc.health.v1.Health(address, grpc.credentials.createInsecure())
  const ask = (service: string) =>
    new Promise<unknown>((done, fail) => {
      health['Check']!({ service }, (error, answer) => (error ? fail(error) : done(answer)))
    })
  assert.deepEqual(await ask('RiskManagementService'), { status: 1 })
  await assert.rejects(ask('Nobody'), { code: grpc.status.NOT_FOUND })
  health.close()
})
