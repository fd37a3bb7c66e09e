/** The broker service on the Windows machine: the common client with Creon's settings. */
import type { Candle, CandlesRequest } from '@jts/contracts/broker-api'
import { BrokerApiClient, type BrokerApiClientOptions } from './broker-api-client.ts'

export type CreonApiClientConfig = Omit<BrokerApiClientOptions, 'baseUrl' | 'broker'> & {
  readonly windowsHost: string
  readonly port?: number
}
export type CandleDataRequest = CandlesRequest
export type CandleData = Candle

export const CREON_PORT = 8001
/** A COM request blocks for up to 30 s. */
const ACT_TIMEOUT_MS = 35_000
/** A quote request that meets the limit of 60 in 15 s waits for the window's end inside the COM object. */
const ASK_TIMEOUT_MS = 35_000

export class CreonApiClient extends BrokerApiClient {
  constructor({ windowsHost, port = CREON_PORT, ...options }: CreonApiClientConfig) {
    super({
      askTimeoutMs: ASK_TIMEOUT_MS,
      actTimeoutMs: ACT_TIMEOUT_MS,
      ...options,
      baseUrl: `http://${windowsHost}:${port}`,
      broker: 'creon',
    })
  }

  /** Closed bars, oldest first: `data` of the service's answer, checked. */
  getCandleData(request: CandleDataRequest): Promise<CandleData[]> {
    return this.candlePage(request)
  }
}
