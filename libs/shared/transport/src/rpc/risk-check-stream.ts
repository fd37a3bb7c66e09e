/**
 * `checkTradingRisk` on one long stream: many questions at once, each answered under its number.
 *
 * A stream that breaks leaves questions without an answer; they are asked again, in their order, on the next one. That is
 * allowed because risk keeps its answer under `signalId` and says it again; so nobody is told twice, and nothing is reserved
 * twice. Where the stream itself is refused (a question that cannot be read would end each stream), they are asked by calls
 * of their own. A question whose deadline passes, or whose caller gives up, may have been answered: ask it again, with the
 * same `signalId`.
 */
import type { ClientDuplexStream } from '@grpc/grpc-js'
import { RpcError, type RiskManagementApi } from '@jts/contracts'
import { RiskCheckRequest, RiskManagementServiceService, type RiskCheckResponse } from '@jts/contracts/risk-api'
import type { CallOptions, RpcClient, RpcLink } from './grpc-client.ts'
import { cancelled, isRpcCode, toRpcError } from './status.ts'

export type RiskCheckStreamOptions = {
  /** Questions on the wire at once. */
  readonly inFlightMax?: number
}

type Question = {
  readonly number: number
  readonly request: RiskCheckRequest
  readonly bytes: Buffer
  /** The question's own end, ms since the epoch. */
  readonly deadline: number
  readonly timer: NodeJS.Timeout
  readonly signal: AbortSignal | undefined
  readonly onAbort: () => void
  readonly done: (answer: RiskCheckResponse) => void
  readonly fail: (error: RpcError) => void
}

/** Well below the 4096 answers that risk has in memory: whatever is asked again is still known there. */
const IN_FLIGHT_MAX = 1024
const REOPEN_MIN_MS = 10
const REOPEN_MAX_MS = 100

export class RiskCheckStream implements Pick<RiskManagementApi, 'checkTradingRisk'> {
  readonly #connection: RpcLink
  readonly #unary: RpcClient<RiskManagementApi>
  readonly #inFlightMax: number
  /** Not yet on the wire, oldest first: numbers only grow, and a broken stream gives back what is older. */
  #waiting = new Map<number, Question>()
  #sent = new Map<number, Question>()
  #last = 0
  #call: ClientDuplexStream<Buffer, RiskCheckResponse> | undefined
  #writable = false
  #reopenMs = 0
  #reopening: NodeJS.Timeout | undefined

  constructor(connection: RpcLink, unary: RpcClient<RiskManagementApi>, options: RiskCheckStreamOptions) {
    this.#connection = connection
    this.#unary = unary
    this.#inFlightMax = options.inFlightMax ?? IN_FLIGHT_MAX
    connection.onClose(() => this.#close())
  }

  checkTradingRisk(request: RiskCheckRequest, options: CallOptions = {}): Promise<RiskCheckResponse> {
    const { signal, deadlineMs = this.#connection.deadlineMs } = options
    if (this.#connection.isClosed || signal?.aborted === true) return Promise.reject(cancelled())
    const number = ++this.#last
    let bytes: Buffer
    try {
      bytes = Buffer.from(RiskCheckRequest.encode({ ...request, requestNumber: number }).finish())
    } catch (cause) {
      return Promise.reject(new RpcError('INVALID_ARGUMENT', (cause as Error).message, { cause }))
    }
    return new Promise((done, fail) => {
      const onAbort = (): void => {
        this.#end(number)?.fail(cancelled())
        // One signal may end many questions: the next goes out when all of them are out.
        queueMicrotask(() => this.#send())
      }
      const timer = setTimeout(() => {
        this.#end(number)?.fail(new RpcError('DEADLINE_EXCEEDED', `no answer within ${deadlineMs} ms`))
        this.#send()
      }, deadlineMs)
      const deadline = Date.now() + deadlineMs
      signal?.addEventListener('abort', onAbort)
      this.#waiting.set(number, { number, request, bytes, deadline, timer, signal, onAbort, done, fail })
      this.#send()
    })
  }

  /** Takes a question out, wherever it is. */
  #end(number: number): Question | undefined {
    const question = this.#sent.get(number) ?? this.#waiting.get(number)
    if (question === undefined) return undefined
    this.#sent.delete(number)
    this.#waiting.delete(number)
    release(question)
    return question
  }

  #send(): void {
    if (this.#waiting.size === 0) return
    const call = (this.#call ??= this.#open())
    if (call === undefined) return
    for (const [number, question] of this.#waiting) {
      if (!this.#writable || this.#sent.size >= this.#inFlightMax) return
      this.#waiting.delete(number)
      this.#sent.set(number, question)
      this.#writable = call.write(question.bytes)
    }
  }

  #open(): ClientDuplexStream<Buffer, RiskCheckResponse> | undefined {
    if (this.#reopening !== undefined) return undefined
    let call: ClientDuplexStream<Buffer, RiskCheckResponse>
    try {
      call = this.#connection.duplex(RiskManagementServiceService.streamTradingRiskChecks)
    } catch {
      // Nobody is known to own risk: who asks again finds who does by then.
      this.#reopenLater()
      return undefined
    }
    this.#writable = true
    call.on('data', (answer: RiskCheckResponse) => this.#answered(answer))
    call.on('drain', () => {
      if (call !== this.#call) return
      this.#writable = true
      this.#send()
    })
    call.on('error', (error) => this.#lost(call, toRpcError(error)))
    call.on('end', () => this.#lost(call, new RpcError('UNAVAILABLE', 'the stream of risk checks ended')))
    return call
  }

  #answered(answer: RiskCheckResponse): void {
    this.#reopenMs = 0
    // Nobody waits any more: its deadline passed, or its caller gave up.
    const question = this.#end(answer.requestNumber ?? 0)
    if (question === undefined) return
    settle(question, answer)
    this.#send()
  }

  #lost(call: ClientDuplexStream<Buffer, RiskCheckResponse>, error: RpcError): void {
    if (call !== this.#call) return
    this.#call = undefined
    const unanswered = this.#sent
    this.#sent = new Map()
    if (error.code === 'UNAVAILABLE' || error.code === 'ABORTED')
      this.#waiting = new Map([...unanswered, ...this.#waiting])
    else for (const question of unanswered.values()) this.#askAlone(question)
    this.#reopenLater()
  }

  /** At once the first time; slower while streams end without an answer. */
  #reopenLater(): void {
    this.#reopening = setTimeout(() => {
      this.#reopening = undefined
      this.#send()
    }, this.#reopenMs)
    this.#reopenMs = Math.min(Math.max(2 * this.#reopenMs, REOPEN_MIN_MS), REOPEN_MAX_MS)
  }

  #close(): void {
    this.#call = undefined
    clearTimeout(this.#reopening)
    for (const number of [...this.#sent.keys(), ...this.#waiting.keys()]) this.#end(number)?.fail(cancelled())
  }

  #askAlone(question: Question): void {
    release(question)
    const { request, deadline, signal, done, fail } = question
    const options = { deadlineMs: Math.max(0, deadline - Date.now()), ...(signal === undefined ? {} : { signal }) }
    this.#unary.checkTradingRisk(request, options).then(done, fail)
  }
}

function release({ timer, signal, onAbort }: Question): void {
  clearTimeout(timer)
  signal?.removeEventListener('abort', onAbort)
}

function settle({ done, fail }: Question, { requestNumber: _number, error, ...answer }: RiskCheckResponse): void {
  if (error === undefined) done(answer)
  else fail(new RpcError(isRpcCode(error.code) ? error.code : 'INTERNAL', error.message))
}
