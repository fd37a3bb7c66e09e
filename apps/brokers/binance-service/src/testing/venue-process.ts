/** The local venue as a process of its own, spoken to over its wire protocol only. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { endpointsOfVenue, type BinanceEndpoints } from '../config.ts'

const MAIN = fileURLToPath(new URL('../../../../venues/binance-venue/src/main.ts', import.meta.url))

export class VenueProcess {
  readonly endpoints: BinanceEndpoints
  readonly credentials: { apiKey: string; apiSecret: string }
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, said: { restUrl: string; apiKey: string; apiSecret: string }) {
    this.#child = child
    this.endpoints = endpointsOfVenue(said.restUrl)
    this.credentials = { apiKey: said.apiKey, apiSecret: said.apiSecret }
  }

  static async start(...args: string[]): Promise<VenueProcess> {
    const child = spawn(process.execPath, [MAIN, '--json', '--exit-with-stdin', ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
    return new VenueProcess(child, JSON.parse(line) as { restUrl: string; apiKey: string; apiSecret: string })
  }

  async kill(): Promise<void> {
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await gone
  }
}
