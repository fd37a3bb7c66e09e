/** The same replay in both modes, on servers of its own: the summaries and the event logs are held against each other. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TOPIC_NAMES } from '@jts/contracts'
import { provideKafka, providePostgres, type ProvidedKafka, type ProvidedPostgres } from '@jts/servers'
import { runJts } from '@jts/testkit'
import { openLog } from '../../open-log.ts'

type Run = { readonly dir: string; readonly summary: Record<string, unknown>; readonly streams: Map<string, string[]> }

export class TwoModes {
  readonly folder = mkdtempSync(join(tmpdir(), 'jts-two-modes-'))
  #kafka!: ProvidedKafka
  #postgres!: ProvidedPostgres

  async start(): Promise<void> {
    ;[this.#kafka, this.#postgres] = await Promise.all([provideKafka(), providePostgres()])
  }

  async stop(): Promise<void> {
    await Promise.all([this.#kafka.stop(), this.#postgres.stop()])
    rmSync(this.folder, { recursive: true, force: true })
  }

  get databaseUrl(): string {
    return this.#postgres.url
  }

  servers(): Record<string, string> {
    return { KAFKA_BROKERS: this.#kafka.brokers.join(','), DATABASE_URL: this.#postgres.url }
  }

  /** @returns the distributed run */
  async compare(name: string, args: readonly string[], replicas: number): Promise<Run> {
    const embedded = await this.#run(`${name}-embedded`, args, {})
    const several = [...args, '--distributed', '--replicas', String(replicas)]
    const distributed = await this.#run(`${name}-distributed`, several, this.servers())
    assert.deepEqual(distributed.summary, embedded.summary)
    assert.deepEqual([...distributed.streams.keys()].sort(), [...embedded.streams.keys()].sort())
    for (const [stream, events] of embedded.streams) assert.deepEqual(distributed.streams.get(stream), events, stream)
    return distributed
  }

  async #run(name: string, args: readonly string[], env: Record<string, string>): Promise<Run> {
    const dir = join(this.folder, name)
    const result = await runJts(['up', ...args, '--until-end', '--json', '--data-dir', dir], env)
    assert.equal(result.code, 0, result.stderr)
    // How long it took may differ, and nothing else.
    const { durationMs: _, latency: __, ...summary } = JSON.parse(result.stdout) as Record<string, unknown>
    const streams = new Map<string, string[]>()
    const { log, close } = await openLog(dir)
    for (const topic of TOPIC_NAMES) {
      for await (const event of log.read(topic)) {
        // Every event with all that is on the wire; where in its partition it lies depends on the other streams there.
        const { offset: _, ...rest } = event
        const key = `${topic}/${event.stream}`
        const events = streams.get(key)
        if (events === undefined) streams.set(key, [JSON.stringify(rest)])
        else events.push(JSON.stringify(rest))
      }
    }
    await close()
    return { dir, summary, streams }
  }
}
