/**
 * A long run on the local venue, faster than real time: the memory of every process after a quarter and at the end, whether
 * readers keep up, and at the end the ledger against the venue's records.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKafka, startPostgres } from '@jts/servers'
import { sleep, startJts } from '@jts/testkit'
import { readRunFile } from '../apps/jts/src/distributed/run-file.ts'
import { openRunLinks, type RunLinks } from '../apps/jts/src/distributed/run-links.ts'
import { openLog } from '../apps/jts/src/open-log.ts'
import { STEADY_MEMORY } from '../apps/jts/src/steady-memory.ts'

export type SoakOptions = {
  readonly mode: 'embedded' | 'distributed'
  readonly minutes: number
  readonly speed: number
  /** Where the run's own words go. */
  readonly say: (words: string) => void
}

type Memory = { readonly quarterMb: number; readonly endMb: number; readonly growthPercent: number }

export type SoakBench = {
  readonly mode: string
  readonly minutes: number
  readonly speed: number
  readonly orders: number
  readonly fills: number
  /** Of processes that live in both; how often any was started again. */
  readonly memory: Readonly<Record<string, Memory>>
  readonly restarts: number
  /** Events not yet handled, over all readers: the highest seen in the first quarter and in the last. */
  readonly lag: { readonly firstQuarter: number; readonly lastQuarter: number } | undefined
  readonly ledgerEqualsVenue: boolean
  readonly differences: readonly string[]
  /** Written in the logs of all processes. */
  readonly errors: readonly string[]
}

const SAMPLE_MS = 2000
/** A figure is the middle of two minutes: memory goes up and down with each collection. */
const SAMPLES = 60
const THE_END = 'the end of the soak'
const SETTLE_MS = 3000
const COMPARED_MS = 90_000

export async function benchSoak({ mode, minutes, speed, say }: SoakOptions): Promise<SoakBench> {
  const folder = mkdtempSync(join(tmpdir(), 'jts-soak-'))
  const dir = join(folder, 'run')
  const isDistributed = mode === 'distributed'
  const servers = isDistributed ? await Promise.all([startKafka(), startPostgres()]) : undefined
  // As `./jts` itself starts it.
  const started = { NODE_OPTIONS: STEADY_MEMORY.join(' ') }
  const given = servers ? { KAFKA_BROKERS: servers[0].brokers.join(), DATABASE_URL: servers[1].url } : {}
  const env = { ...started, ...given }
  const where = ['--data-dir', dir, '--port', '0', '--speed', String(speed), '--json']
  const up = startJts(['up', ...(isDistributed ? ['--distributed'] : []), ...where], env)
  try {
    const { dashboard } = JSON.parse(await up.firstLine) as { dashboard: string }
    const owners = servers && (await openRunLinks(readRunFile(join(dir, 'run-distributed.json')), servers[1].url))
    const watch = new Watch(dir, up.child.pid!, owners)
    const lengthMs = minutes * 60_000
    const begun = performance.now()
    for (let said = 0; performance.now() - begun < lengthMs; await sleep(SAMPLE_MS)) {
      await watch.look((performance.now() - begun) / lengthMs)
      if (performance.now() - begun > said * 60_000) say(`minute ${said++}: ${watch.words()}`)
    }
    const result = watch.result()
    await owners?.close()
    // Not by the command: it would end a process that takes more than a second to answer.
    await fetch(new URL('/api/v1/halt', dashboard), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reason: THE_END }),
    })
    await sleep(SETTLE_MS)
    const compared = await comparedWithVenue(dashboard)
    const { errors } = await ended(up)
    return { mode, minutes, speed, ...result, ...compared, ...(await traded(dir)), errors }
  } finally {
    await ended(up)
    await Promise.all(servers?.map((server) => server.stop()) ?? [])
    rmSync(folder, { recursive: true, force: true })
  }
}

class Watch {
  readonly #dir: string
  readonly #mainPid: number
  readonly #samples = new Map<string, { at: number; mb: number }[]>()
  readonly #owners: RunLinks | undefined
  readonly #lags: { at: number; lag: number }[] = []
  #restarts = 0

  constructor(dir: string, mainPid: number, owners: RunLinks | undefined) {
    this.#dir = dir
    this.#mainPid = mainPid
    this.#owners = owners
  }

  async look(at: number): Promise<void> {
    for (const [name, pid] of this.#processes()) {
      const mb = residentMb(pid)
      if (mb === undefined) continue
      const samples = this.#samples.get(name) ?? []
      samples.push({ at, mb })
      this.#samples.set(name, samples)
    }
    const states = await this.#owners?.states()
    if (states === undefined) return
    const lag = states.flatMap(({ lags }) => lags).reduce((sum, { events }) => sum + events, 0)
    this.#lags.push({ at, lag })
  }

  words(): string {
    const memory = [...this.#samples].map(([name, samples]) => `${name} ${Math.round(samples.at(-1)!.mb)} MB`)
    return [...memory, `lag ${this.#lags.at(-1)?.lag ?? 0}`].join(', ')
  }

  result(): Pick<SoakBench, 'memory' | 'restarts' | 'lag'> {
    const memory = [...this.#samples].map(([name, samples]): [string, Memory] => {
      const quarterMb = middle(samples.filter(({ at }) => at <= 0.25).slice(-SAMPLES))
      const endMb = middle(samples.slice(-SAMPLES))
      return [name, { quarterMb, endMb, growthPercent: Math.round((endMb / quarterMb - 1) * 1000) / 10 }]
    })
    const highest = (from: number, to: number): number =>
      Math.max(0, ...this.#lags.filter(({ at }) => at >= from && at <= to).map(({ lag }) => lag))
    const lag = { firstQuarter: highest(0, 0.25), lastQuarter: highest(0.75, 1) }
    return {
      memory: Object.fromEntries(memory),
      restarts: this.#restarts,
      lag: this.#owners && lag,
    }
  }

  #processes(): [name: string, pid: number][] {
    const own: [string, number][] = [['jts', this.#mainPid]]
    const venue = childrenOf(this.#mainPid).find(({ command }) => command.includes('\0venue\0'))
    if (venue !== undefined) own.push(['venue', venue.pid])
    if (this.#owners === undefined) return own
    const text = readFileSync(join(this.#dir, 'processes.json'), 'utf8')
    const all = Object.entries(JSON.parse(text) as Record<string, { pid: number; starts: number }>)
    this.#restarts = all.reduce((sum, [, { starts }]) => sum + starts - 1, 0)
    return [...own, ...all.map(([unit, { pid }]): [string, number] => [unit, pid])]
  }
}

function residentMb(pid: number): number | undefined {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
  } catch {
    return undefined
  }
}

function childrenOf(pid: number): { pid: number; command: string }[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return children
    .split(' ')
    .filter((one) => one !== '')
    .map((one) => ({ pid: Number(one), command: readFileSync(`/proc/${one}/cmdline`, 'utf8') }))
}

function middle(samples: readonly { mb: number }[]): number {
  const sorted = samples.map(({ mb }) => mb).sort((a, b) => a - b)
  return Math.round((sorted[Math.floor(sorted.length / 2)] ?? NaN) * 10) / 10
}

type Portfolio = { accounts: { account: string; reconciled: string }[] }

/** Nothing is traded any more: the next comparison with the venue, which is made every minute, counts. */
async function comparedWithVenue(dashboard: string): Promise<Pick<SoakBench, 'ledgerEqualsVenue' | 'differences'>> {
  await sleep(COMPARED_MS)
  const answer = await fetch(new URL('/api/v1/portfolio', dashboard))
  const { data } = (await answer.json()) as { data: Portfolio }
  const differing = data.accounts.filter(({ reconciled }) => reconciled !== 'equal')
  return { ledgerEqualsVenue: differing.length === 0, differences: differing.map((one) => JSON.stringify(one)) }
}

async function ended(up: ReturnType<typeof startJts>): Promise<{ errors: string[] }> {
  up.child.kill('SIGINT')
  const { stderr } = await up.ended
  const errors = stderr.split('\n').filter((line) => /"level":[56]0/.test(line) && !line.includes(THE_END))
  return { errors: errors.slice(0, 20) }
}

async function traded(dir: string): Promise<Pick<SoakBench, 'orders' | 'fills'>> {
  const { log, close } = await openLog(dir)
  let [orders, fills] = [0, 0]
  for await (const { type } of log.read('orders.events')) {
    if (type === 'OrderSubmitting') orders++
    if (type === 'OrderFilled') fills++
  }
  await close()
  return { orders, fills }
}
