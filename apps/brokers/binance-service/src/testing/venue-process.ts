/** The local venue as a process of its own, spoken to over its wire protocol only. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { endpointsOfVenue, type BinanceEndpoints } from '../config.ts'

const MAIN = fileURLToPath(new URL('../../../../venues/binance-venue/src/main.ts', import.meta.url))

type Said = { restUrl: string; apiKey: string; apiSecret: string; controlUrl: string; controlToken: string }

export class VenueProcess {
  readonly endpoints: BinanceEndpoints
  readonly credentials: { apiKey: string; apiSecret: string }
  readonly control: { readonly url: string; readonly token: string }
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, said: Said) {
    this.#child = child
    this.endpoints = endpointsOfVenue(said.restUrl)
    this.credentials = { apiKey: said.apiKey, apiSecret: said.apiSecret }
    this.control = { url: said.controlUrl, token: said.controlToken }
  }

  static async start(...args: string[]): Promise<VenueProcess> {
    const child = spawn(process.execPath, [MAIN, '--json', '--exit-with-stdin', ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the venue ended with ${code}`)))
    // Later it may end as it likes.
    ended.catch(() => undefined)
    const [line] = (await Promise.race([once(createInterface(child.stdout!), 'line'), ended])) as [string]
    return new VenueProcess(child, JSON.parse(line) as Said)
  }

  /** Money comes into the account, or (negative) goes out; without a notice, as if no stream were up. */
  async moveMoney(asset: string, amount: string, { notice = true } = {}): Promise<void> {
    const response = await fetch(new URL('/jts/balances', this.endpoints.rest), {
      method: 'POST',
      headers: { authorization: `Bearer ${this.control.token}` },
      body: JSON.stringify({ asset, amount, notice }),
    })
    if (!response.ok) throw new Error(`expected ${amount} ${asset} to move, found ${await response.text()}`)
  }

  async kill(): Promise<void> {
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await gone
  }
}
