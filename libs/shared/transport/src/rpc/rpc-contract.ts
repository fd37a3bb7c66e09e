/** What every way of calling promises, the direct call and gRPC alike. One suite, run against each. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { RPC_CODES, RpcError, type OrderExecutionApi, type PortfolioApi, type RiskManagementApi } from '@jts/contracts'
import { OrderView } from '@jts/contracts/orders-api'
import { ScriptedApis, said, type Apis } from './scripted-apis.ts'

export type Way = {
  readonly name: string
  /** Callers that reach these handlers, and how to let go of them. */
  open(apis: ScriptedApis): Promise<{ readonly apis: Apis; close(): Promise<void> }>
}

/** Long enough for gRPC's own limit of 4 MiB to matter. */
const MANY_ORDERS = 60_000

export function rpcContract(way: Way): void {
  describe(`the RPC port, ${way.name}`, () => {
    const scripted = new ScriptedApis()
    let close: () => Promise<void>
    let risk: RiskManagementApi
    let orders: OrderExecutionApi
    let portfolio: PortfolioApi
    let apis: Apis

    before(async () => {
      const opened = await way.open(scripted)
      ;({ close, apis } = opened)
      ;({ risk, orders, portfolio } = apis)
    })
    beforeEach(() => scripted.reset())
    after(() => close())

    for (const { api, method, request, answer } of said) {
      it(`${api}.${method} brings the request there and the answer back`, async () => {
        scripted.answer = () => Promise.resolve(answer)
        const call = (apis[api] as unknown as Record<string, (request: unknown) => Promise<object>>)[method]!
        assert.deepEqual(plain(await call(request)), answer)
        assert.deepEqual(
          scripted.calls.map(({ method, request }) => ({ method, request: plain(request) })),
          [{ method: `${api}.${method}`, request }],
        )
      })
    }

    // What a handler says with UNAVAILABLE is asked again where that is allowed, so cancelOrder, which is not.
    for (const code of RPC_CODES) {
      it(`an error ${code} is the same RpcError`, async () => {
        const message = `order_id: expected 100 % "예", found {\n\t'%41': "ü"} 🙂`
        scripted.answer = () => Promise.reject(new RpcError(code, message))
        await assert.rejects(orders.cancelOrder({ orderId: 'x' }), (error: unknown) => {
          assert.ok(error instanceof RpcError)
          assert.deepEqual([error.code, error.message], [code, message])
          return true
        })
      })
    }

    it('a risk check that is malformed is refused with what is wrong', async () => {
      scripted.answer = () => Promise.reject(new RpcError('INVALID_ARGUMENT', 'side: expected "buy", found "hold"'))
      const refused = { code: 'INVALID_ARGUMENT', message: 'side: expected "buy", found "hold"' }
      await assert.rejects(risk.checkTradingRisk(said[0].request), refused)
    })

    it('calls at the same time get each its own answer, whoever is answered first', async () => {
      scripted.answer = async (_method, request) => {
        const { account } = request as { account: string }
        await new Promise((done) => setTimeout(done, 20 - (Number(account) % 20)))
        return { orders: [OrderView.create({ orderId: account })] }
      }
      const asked = Array.from({ length: 500 }, (_, n) => String(n))
      const found = await Promise.all(
        asked.map(
          async (account) =>
            (await orders.listOrders({ account, openOnly: false, limit: 0, orderId: '' })).orders[0]!.orderId,
        ),
      )
      assert.deepEqual(found, asked)
    })

    it('risk checks at the same time get each its own answer, also two about one signal', async () => {
      scripted.answer = (_method, request) => {
        const { signalId } = request as { signalId: string }
        return Promise.resolve({ ...said[0].answer, signalId, approved: signalId.endsWith('1') })
      }
      const signals = Array.from({ length: 500 }, (_, n) => `signal-${n >> 1}`)
      const found = await Promise.all(
        signals.map((signalId) => risk.checkTradingRisk({ ...said[0].request, signalId })),
      )
      assert.deepEqual(
        found.map(({ signalId, approved }) => [signalId, approved]),
        signals.map((signalId) => [signalId, signalId.endsWith('1')]),
      )
    })

    it('a large answer arrives whole', async () => {
      const many = Array.from({ length: MANY_ORDERS }, (_, n) =>
        OrderView.create({ orderId: `order-${n}`, reason: 'x'.repeat(100), correlationId: `correlation-${n}` }),
      )
      scripted.answer = () => Promise.resolve({ orders: many })
      const found = await orders.listOrders({ account: '', openOnly: false, limit: MANY_ORDERS, orderId: '' })
      assert.equal(found.orders.length, MANY_ORDERS)
      assert.deepEqual(found.orders.at(-1), many.at(-1))
    })

    it('a large request arrives whole', async () => {
      const reason = 'because '.repeat(1_000_000)
      scripted.answer = (_method, request) =>
        Promise.resolve({ ...HALTED, message: String((request as { reason: string }).reason.length) })
      assert.equal(
        (await orders.halt({ account: '', reason, by: '', strategy: '', state: '' })).message,
        String(reason.length),
      )
    })

    it('a stream brings what is yielded, in order, and ends when its reader has enough', async () => {
      const end = new AbortController()
      let isLeft = false
      scripted.updates = async function* (signal) {
        try {
          for (let n = 0; !signal.aborted; n++) {
            yield { position: undefined, timeEventUs: n }
            await new Promise((done) => setImmediate(done))
          }
        } finally {
          isLeft = true
        }
      }
      const seen: number[] = []
      for await (const { timeEventUs } of portfolio.streamPositionUpdates({}, end.signal)) {
        seen.push(timeEventUs)
        if (seen.length === 100) end.abort()
        if (seen.length > 200) break
      }
      assert.deepEqual(
        seen.slice(0, 100),
        Array.from({ length: 100 }, (_, n) => n),
      )
      for (let i = 0; i < 500 && !isLeft; i++) await new Promise((done) => setTimeout(done, 2))
      assert.ok(isLeft, 'expected the handler to know that its reader has gone')
    })

    it('a stream that breaks tells what it broke with, after what came before', async () => {
      scripted.updates = async function* () {
        yield { position: undefined, timeEventUs: 1 }
        throw new RpcError('UNAVAILABLE', 'too slow')
      }
      const seen: number[] = []
      const read = async (): Promise<void> => {
        for await (const one of portfolio.streamPositionUpdates({}, new AbortController().signal)) {
          seen.push(one.timeEventUs)
        }
      }
      await assert.rejects(read(), { name: 'RpcError', code: 'UNAVAILABLE', message: 'too slow' })
      assert.deepEqual(seen, [1])
    })
  })
}

const HALTED = { state: 'halted', cancelled: 0, unknown: 0, open: 0, message: '' }

/** Without the fields that only a stream uses, which decoding leaves as undefined. */
function plain(message: object): object {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value !== undefined))
}
