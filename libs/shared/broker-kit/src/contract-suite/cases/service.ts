/** What only the service itself can show: signatures, bad input, repeated requests, fences, cursors, the stream's rules. */
import { PROBLEM_CODES, type ProblemCode } from '@jts/contracts/broker-api'
import { formatUnits } from '@jts/model'
import { toPlaceRequest } from '../../wire/index.ts'
import type { RawAnswer, RawApi, RawRequest } from '../raw-api.ts'
import { expectEqual, expectSoon, expectTrue, Unmet, type SuiteCase, type SuiteTarget } from '../suite.ts'
import { farBuy, windowOf } from './trading.ts'

type Problem = { readonly code?: ProblemCode; readonly status?: number; readonly detail?: string }
type Data = Record<string, unknown>

function expectProblem(what: string, answer: RawAnswer, code: ProblemCode): void {
  const problem = answer.body as Problem | undefined
  expectEqual(`${what}: code`, problem?.code ?? answer.text.slice(0, 200), code)
  expectEqual(`${what}: status in the document`, problem?.status, answer.status)
  expectTrue(`${what}: content type`, answer.contentType.startsWith('application/problem+json'), answer.contentType)
}

function dataOf(what: string, answer: RawAnswer): Data {
  if (answer.status !== 200) throw new Unmet(what, 200, `${answer.status} ${answer.text.slice(0, 200)}`)
  const body = answer.body as { success?: unknown; data?: unknown } | undefined
  expectEqual(`${what}: success`, body?.success, true)
  return body!.data as Data
}

const health: RawRequest = { method: 'GET', target: '/api/v1/health' }

function accountOf(raw: RawApi): string {
  if (raw.account === undefined) throw new Unmet('an account', 'one', 'none')
  return raw.account
}

async function orderBody(target: SuiteTarget): Promise<Data> {
  const order = await farBuy(target)
  return { ...toPlaceRequest(order, { account: accountOf(target.raw!) as never }) }
}

function post(raw: RawApi, body: object): Promise<RawAnswer> {
  return raw.call({ method: 'POST', target: '/api/v1/orders', body: JSON.stringify(body) })
}

async function cancelRaw(target: SuiteTarget, order: Data): Promise<void> {
  const { broker, instrument } = target
  const clientOrderId = order['clientOrderId'] as never
  await broker.cancelOrder({
    instrument,
    clientOrderId,
    cancelId: `${String(clientOrderId)}-x` as never,
    ...windowOf(target),
  })
}

const reading = { group: 'service', needs: 'read', needsRaw: true } as const
const far = { group: 'requests once', needs: 'far', needsRaw: true } as const
const full = { group: 'fences', needs: 'full', needsRaw: true } as const
const authentication = { group: 'authentication', needs: 'read', needsRaw: true } as const
const badInput = { group: 'bad input', needs: 'read', needsRaw: true } as const
const streams = { group: 'streams', needs: 'read', needsRaw: true } as const

const hour = 3_600_000_000

export const SERVICE: readonly SuiteCase[] = [
  {
    ...reading,
    title: 'the bare health is open to all and says only up or down',
    run: async ({ raw }) => {
      const answer = await raw!.call({ method: 'GET', target: '/health', unsigned: true })
      expectTrue('200 or 503', answer.status === 200 || answer.status === 503, answer.status)
      expectEqual('the answer', answer.body, { status: answer.status === 200 ? 'up' : 'down' })
    },
  },
  {
    ...reading,
    title: 'the health says breaker, session, limits and accounts',
    run: async ({ raw, clock }) => {
      const data = dataOf('health', await raw!.call(health))
      for (const name of ['status', 'reasons', 'breaker', 'session', 'streams', 'limits', 'accounts', 'venueTimeUs']) {
        expectTrue(`health: ${name}`, data[name] !== undefined, Object.keys(data))
      }
      expectTrue('a clock within 30 s', Math.abs(Number(data['timeUs']) - clock.nowUs()) < 30_000_000, data['timeUs'])
    },
  },
  {
    ...authentication,
    title: 'a request without a signature is refused',
    run: async ({ raw }) => {
      expectProblem('unsigned', await raw!.call({ ...health, unsigned: true }), 'AUTHENTICATION_MISSING')
      expectProblem('a short nonce', await raw!.call({ ...health, nonce: 'short' }), 'AUTHENTICATION_MISSING')
      const body = JSON.stringify({})
      const answer = await raw!.call({ method: 'POST', target: '/api/v1/orders', body, unsigned: true })
      expectProblem('an unsigned order', answer, 'AUTHENTICATION_MISSING')
    },
  },
  {
    ...authentication,
    title: 'an unknown key and a wrong secret are refused in the same words',
    run: async ({ raw }) => {
      const unknown = await raw!.call({ ...health, keyId: 'nobody' })
      const wrong = await raw!.call({ ...health, secret: 'another-secret-of-enough-bytes-000' })
      expectProblem('unknown key', unknown, 'AUTHENTICATION_FAILED')
      expectProblem('wrong secret', wrong, 'AUTHENTICATION_FAILED')
      expectEqual('detail', (wrong.body as Problem).detail, (unknown.body as Problem).detail)
    },
  },
  {
    ...authentication,
    title: 'a signature of another path, query or body is refused',
    run: async ({ raw }) => {
      const other = { ...health, signedTarget: '/api/v1/capabilities' }
      expectProblem('another path', await raw!.call(other), 'AUTHENTICATION_FAILED')
      const query = { ...health, signedTarget: '/api/v1/health?a=1' }
      expectProblem('another query', await raw!.call(query), 'AUTHENTICATION_FAILED')
      const body: RawRequest = {
        method: 'POST',
        target: '/api/v1/market-data/candles',
        body: '{"a":2}',
        signedBody: '{"a":1}',
      }
      expectProblem('another body', await raw!.call(body), 'AUTHENTICATION_FAILED')
    },
  },
  {
    ...authentication,
    title: "an hour too early or too late is refused, with the service's clock",
    run: async ({ raw, clock }) => {
      for (const timestampUs of [clock.nowUs() - hour, clock.nowUs() + hour]) {
        const answer = await raw!.call({ ...health, timestampUs })
        expectProblem('an hour', answer, 'CLOCK_SKEW')
        expectTrue('serverTimeUs', typeof (answer.body as Data)['serverTimeUs'] === 'number', answer.text)
      }
    },
  },
  {
    ...authentication,
    title: 'the very same request a second time is refused',
    run: async ({ raw, clock }) => {
      const timestampUs = clock.nowUs()
      const nonce = `verify-${timestampUs}-${Math.abs(timestampUs % 7919)}`
      const once = { ...health, timestampUs, nonce }
      dataOf('the first', await raw!.call(once))
      expectProblem('the second', await raw!.call(once), 'NONCE_REUSED')
    },
  },
  {
    ...badInput,
    title: 'a path that is not there, and a method that it does not have',
    run: async ({ raw }) => {
      expectProblem('path', await raw!.call({ method: 'GET', target: '/api/v1/nothing' }), 'NOT_FOUND')
      const method = await raw!.call({ method: 'DELETE', target: '/api/v1/capabilities' })
      expectProblem('method', method, 'METHOD_NOT_ALLOWED')
    },
  },
  {
    ...badInput,
    title: 'a body that is no JSON, of another type, or too large',
    run: async ({ raw }) => {
      const request = { method: 'POST', target: '/api/v1/market-data/candles' }
      expectProblem('no JSON', await raw!.call({ ...request, body: '{"symbol":' }), 'INVALID_REQUEST')
      const form = await raw!.call({ ...request, body: 'a=1', contentType: 'application/x-www-form-urlencoded' })
      expectProblem('a form', form, 'UNSUPPORTED_MEDIA_TYPE')
      const large = await raw!.call({ ...request, body: JSON.stringify({ symbol: 'x'.repeat(1_100_000) }) })
      expectProblem('over 1 MiB', large, 'PAYLOAD_TOO_LARGE')
    },
  },
  {
    ...badInput,
    title: 'a question with a missing, unknown or wrong part',
    run: async ({ raw, instrument }) => {
      const get = (query: string) => raw!.call({ method: 'GET', target: `/api/v1${query}` })
      expectProblem('a part too many', await get('/capabilities?all=1'), 'INVALID_REQUEST')
      expectProblem('no instrument', await get('/market-data/quotes'), 'INVALID_REQUEST')
      expectProblem('an instrument of no form', await get('/market-data/order-book?instrument=btc'), 'INVALID_REQUEST')
      const depth = await get(`/market-data/order-book?instrument=${instrument}&depth=many`)
      expectProblem('a depth of letters', depth, 'INVALID_REQUEST')
      expectProblem('another account', await get('/orders?account=sim.nobody.none&status=open'), 'ACCOUNT_NOT_FOUND')
      const account = accountOf(raw!)
      expectProblem('a cursor of another', await get(`/fills?account=${account}&after=00000000.7`), 'CURSOR_UNKNOWN')
      const candles = (body: object) =>
        raw!.call({ method: 'POST', target: '/api/v1/market-data/candles', body: JSON.stringify(body) })
      const day = { symbol: instrument, timeframe: '1D' }
      expectProblem('a day that is none', await candles({ ...day, startDate: '2026-02-30' }), 'INVALID_REQUEST')
      expectProblem('a timeframe of no form', await candles({ ...day, timeframe: 'daily' }), 'INVALID_REQUEST')
      const venue = instrument.split(':')[0]!
      expectProblem(
        'no such instrument',
        await candles({ ...day, symbol: `${venue}:NOSUCH99` }),
        'INSTRUMENT_NOT_FOUND',
      )
    },
  },
  {
    ...badInput,
    title: 'trades after what is no trade: a wrong question, however often it is asked, and no failure of the venue',
    supported: ({ trades }) => trades,
    run: async ({ raw, instrument }) => {
      const trades = (after = ''): Promise<RawAnswer> =>
        raw!.call({ method: 'GET', target: `/api/v1/market-data/trades?instrument=${instrument}&limit=1${after}` })
      // As often as a venue may fail before it is asked no more.
      for (let n = 0; n < 6; n++) expectProblem('no trade', await trades('&afterTradeId=none'), 'INVALID_REQUEST')
      expectEqual('a good question', (await trades()).status, 200)
    },
  },
  {
    ...far,
    group: 'bad input',
    title: 'an order with a part too many, a number for text, or text that is not canonical, is never taken',
    run: async (target) => {
      const order = await orderBody(target)
      const wrong: Data[] = [
        { ...order, hidden: true },
        { ...order, quantity: 1 },
        { ...order, quantity: '1.0' },
        { ...order, quantity: '-1' },
        { ...order, quantity: null },
        { ...order, side: 'BUY' },
        { ...order, clientOrderId: 'x'.repeat(37) },
        { ...order, clientOrderId: 'a/b' },
        { ...order, sendBeforeUs: 1.5 },
        { ...order, instrument: undefined },
      ]
      for (const body of wrong) expectProblem(JSON.stringify(body), await post(target.raw!, body), 'INVALID_REQUEST')
      expectProblem('an array', await post(target.raw!, [order]), 'INVALID_REQUEST')
      const windowless = await post(target.raw!, { ...order, sendBeforeUs: order['intentTimeUs'] })
      const kind = (windowless.body as { data?: Data }).data?.['kind'] ?? (windowless.body as Problem).code
      expectTrue('no time to send', kind === 'not_sent' || kind === 'INVALID_REQUEST', kind)
      const foreign = await post(target.raw!, { ...order, account: 'sim.nobody.none' })
      expectProblem('another account', foreign, 'ACCOUNT_NOT_FOUND')
    },
  },
  {
    ...far,
    title: 'the same request again sends nothing and tells what became of the first; another content is refused',
    run: async (target) => {
      const order = await orderBody(target)
      const [first, second] = await Promise.all([post(target.raw!, order), post(target.raw!, order)])
      const answers = [dataOf('one', first!), dataOf('the other', second!)]
      expectEqual('repeated', answers.map(({ repeated }) => repeated).sort(), [false, true])
      const third = dataOf('the third', await post(target.raw!, order))
      expectEqual(
        'kinds',
        [...answers, third].map(({ kind }) => kind),
        ['accepted', 'accepted', 'accepted'],
      )
      const numbers = [...answers, third].map(({ order: report }) => (report as Data)['venueOrderId'])
      expectEqual('one order at the venue', new Set(numbers).size, 1)
      const limitPrice = formatUnits(BigInt(Math.round(Number(order['limitPrice']) * 0.5)) * 100_000_000n)
      expectProblem('other content', await post(target.raw!, { ...order, limitPrice }), 'ORDER_CONFLICT')
      const again = { ...order, leaseEpoch: undefined, tradingStateVersion: undefined }
      expectEqual('fences are no content', dataOf('again', await post(target.raw!, again))['repeated'], true)
      await cancelRaw(target, order)
    },
  },
  {
    ...far,
    title: 'a request that came too late stays unsent',
    run: async (target) => {
      const order = await orderBody(target)
      const intentTimeUs = Number(order['intentTimeUs']) - 20_000_000
      const late = { ...order, intentTimeUs, sendBeforeUs: intentTimeUs + 2_000_000 }
      for (const repeated of [false, true]) {
        const { kind, code, repeated: isRepeated } = dataOf('late', await post(target.raw!, late))
        expectEqual('outcome', { kind, code, repeated: isRepeated }, { kind: 'not_sent', code: 'TOO_LATE', repeated })
      }
    },
  },
  {
    ...full,
    title: 'an owner that was taken over, and an older trading state, send nothing',
    run: async (target) => {
      const { raw } = target
      const account = accountOf(raw!)
      const put = (path: string, body: object) =>
        raw!.call({ method: 'PUT', target: `/api/v1/accounts/${account}/${path}`, body: JSON.stringify(body) })
      const states = dataOf('health', await raw!.call(health))['accounts'] as Data[]
      const state = states.find((one) => one['account'] === account)!
      const epoch = Number(state['leaseEpoch']) + 1
      expectEqual('epoch', dataOf('lease', await put('lease', { epoch }))['leaseEpoch'], epoch)
      expectEqual('again', dataOf('lease', await put('lease', { epoch }))['leaseEpoch'], epoch)
      expectProblem('an older lease', await put('lease', { epoch: epoch - 1 }), 'STALE_LEASE')
      const version = Number(state['tradingStateVersion']) + 1
      dataOf('gate', await put('gate', { state: 'open', reason: 'contract suite', tradingStateVersion: version }))
      const outcome = async (change: Data) => {
        const order = { ...(await orderBody(target)), leaseEpoch: epoch, tradingStateVersion: version, ...change }
        const { kind, code } = dataOf('order', await post(raw!, order))
        if (kind === 'accepted') await cancelRaw(target, order)
        return code ?? kind
      }
      expectEqual('older lease', await outcome({ leaseEpoch: epoch - 1 }), 'STALE_LEASE')
      expectEqual('older state', await outcome({ tradingStateVersion: version - 1 }), 'STALE_TRADING_STATE')
      expectEqual('both of now', await outcome({}), 'accepted')
      // The owner may say a newer one without touching the gate.
      const renewed = dataOf('lease', await put('lease', { epoch, tradingStateVersion: version + 1 }))
      expectEqual('a newer state', renewed['tradingStateVersion'], version + 1)
      expectEqual('decided before it', await outcome({}), 'STALE_TRADING_STATE')
      expectEqual('decided under it', await outcome({ tradingStateVersion: version + 1 }), 'accepted')
      dataOf('gate', await put('gate', { state: 'halted', reason: 'contract suite' }))
      expectEqual('halted', await outcome({ tradingStateVersion: version + 1 }), 'GATE_HALTED')
      dataOf('gate', await put('gate', { state: 'open', reason: 'contract suite' }))
    },
  },
  {
    ...streams,
    title: 'an unsigned reader is refused, a signed one is welcomed, and messages are counted without a hole',
    run: async ({ raw, clock, instrument, market }) => {
      const refused = raw!.stream({ unsigned: true })
      await expectSoon(clock, 'the refusal', () => refused.ended !== undefined)
      expectEqual('status', refused.ended?.status, 401)
      const stream = raw!.stream()
      try {
        await expectSoon(clock, 'welcome', () => stream.messages.length > 0)
        expectEqual('first', stream.messages[0]!['type'], 'welcome')
        if (market.capabilities.streams.includes('trades')) {
          stream.send({ op: 'subscribe', id: 's', subscription: { channel: 'trades', instrument } })
          await expectSoon(clock, 'subscribed', () => stream.messages.some((one) => one['type'] === 'subscribed'))
        }
        stream.send({ op: 'ping', id: 'p' })
        await expectSoon(clock, 'pong', () => stream.messages.some((one) => one['type'] === 'pong'))
        const heartbeatMs = Number(stream.messages[0]!['heartbeatMs'])
        await expectSoon(
          clock,
          'a heartbeat',
          () => stream.messages.some((one) => one['type'] === 'heartbeat'),
          3 * heartbeatMs + 10_000,
        )
        const seqs = stream.messages.map((one) => one['seq'])
        expectEqual(
          'seq',
          seqs,
          seqs.map((_, index) => index + 1),
        )
      } finally {
        stream.close()
      }
    },
  },
  {
    ...streams,
    title: 'what the stream cannot read is said, and the tenth ends the connection',
    run: async ({ raw, clock }) => {
      const stream = raw!.stream()
      try {
        await expectSoon(clock, 'welcome', () => stream.messages.length > 0)
        const wrong = [
          '{',
          '[]',
          { op: 'shout', id: 'w' },
          { op: 'subscribe', id: 'w' },
          { op: 'ping', id: '', more: 1 },
        ]
        for (const message of [...wrong, ...wrong]) stream.send(message)
        await expectSoon(clock, 'the end', () => stream.ended !== undefined)
        expectEqual('close code', stream.ended?.code, 4400)
        const errors = stream.messages.filter((one) => one['type'] === 'error')
        expectEqual('errors', errors.length, 10)
        expectEqual('code', (errors[0]!['problem'] as Problem).code, 'INVALID_REQUEST')
      } finally {
        stream.close()
      }
    },
  },
  {
    ...streams,
    needs: 'far',
    title: 'order events go on after a cursor, and an unknown cursor is a gap',
    supported: (table) => table.streams.includes('orders'),
    run: async (target) => {
      const { raw, clock } = target
      const account = accountOf(raw!)
      const cursors = (of: Data[]) => of.filter((one) => one['type'] === 'order').map((one) => one['cursor'])
      const first = raw!.stream()
      const second = raw!.stream()
      const third = raw!.stream()
      try {
        await expectSoon(clock, 'welcome', () => [first, second, third].every(({ messages }) => messages.length > 0))
        first.send({ op: 'subscribe', id: '1', subscription: { channel: 'orders', account } })
        await expectSoon(clock, 'subscribed', () => first.messages.some((one) => one['type'] === 'subscribed'))
        const after = first.messages.find((one) => one['type'] === 'subscribed')!['cursor']
        const order = await orderBody(target)
        dataOf('order', await post(raw!, order))
        await cancelRaw(target, order)
        await expectSoon(clock, 'two events', () => cursors(first.messages).length >= 2)
        second.send({ op: 'subscribe', id: '2', subscription: { channel: 'orders', account, after } })
        await expectSoon(clock, 'both again', () => cursors(second.messages).length >= 2)
        expectEqual('the same places', cursors(second.messages).slice(0, 2), cursors(first.messages).slice(0, 2))
        third.send({ op: 'subscribe', id: '3', subscription: { channel: 'orders', account, after: '00000000.7' } })
        await expectSoon(clock, 'a gap', () => third.messages.some((one) => one['type'] === 'gap'))
        expectEqual('reason', third.messages.find((one) => one['type'] === 'gap')!['reason'], 'CURSOR_UNKNOWN')
      } finally {
        for (const stream of [first, second, third]) stream.close()
      }
    },
  },
  {
    ...badInput,
    title: 'the list of problem codes is closed',
    run: async ({ raw }) => {
      const answers = await Promise.all([
        raw!.call({ method: 'GET', target: '/api/v1/orders/%00?account=x' }),
        raw!.call({ method: 'GET', target: '/api/v1/fills' }),
        raw!.call({ method: 'PATCH', target: '/api/v1/orders/x', body: '{}' }),
      ])
      for (const { body, status, text } of answers) {
        const { code } = body as Problem
        expectTrue('a code of the list', code !== undefined && PROBLEM_CODES.includes(code), text.slice(0, 200))
        expectTrue('no 5xx', status < 500, status)
      }
    },
  },
]
