/** Made-up collections of past candles behind the fake ports. */
import { GatewayError } from '../problems.ts'
import type { CollectionView, CollectRequestView, GatewayUpdate } from '../ports.ts'
import { START_US } from './fake-markets.ts'

export class FakeCollections {
  now: readonly CollectionView[] = []
  readonly #emit: (update: GatewayUpdate) => void

  constructor(emit: (update: GatewayUpdate) => void) {
    this.#emit = emit
  }

  collect(request: CollectRequestView): Promise<readonly CollectionView[]> {
    if (this.now.some(({ state }) => state === 'running'))
      return Promise.reject(new GatewayError('REFUSED', 'a collection of KRX is running'))
    this.put({ timeframe: request.timeframe ?? '1d', venue: request.venue ?? 'KRX' })
    return Promise.resolve(this.now)
  }

  cancel({ venue }: { venue: string }): Promise<readonly CollectionView[]> {
    this.put({ venue, state: 'cancelled' })
    return Promise.resolve(this.now)
  }

  put(changes: Partial<CollectionView>): void {
    const begun = {
      venue: 'KRX',
      timeframe: '1d',
      fromDay: '',
      toDay: '',
      state: 'running',
      reason: '',
      by: 'person',
    } as const
    const counts = {
      total: 2882,
      done: 0,
      candles: 0,
      gaps: 0,
      failures: [],
      startedUs: START_US,
      endedUs: 0,
      nextUs: 0,
    }
    this.now = [{ ...begun, ...counts, ...changes }]
    this.#emit({ type: 'collections', data: this.now })
  }
}
