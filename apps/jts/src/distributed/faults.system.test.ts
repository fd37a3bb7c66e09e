/**
 * What may break between processes, and what must be true after it: no request reaches the venue twice, every fill of the
 * venue is booked once, the venue has no order that we do not know, our ledger is the venue's record in every balance, trading
 * goes on by itself, and the operator was told.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { runJts, sleep } from '@jts/testkit'
import { SERVICE_NAMES } from './run-file.ts'
import { FaultRig, type LinkName } from './testing/fault-rig.ts'
import { deliverAgain, rewindOffsets, takeOver } from './testing/harms.ts'

const FULL = process.env['JTS_TEST_FULL'] === '1'
/** Longer than a lease, than the time in which a request may be sent, and than it takes to see that something is silent. */
const AWAY_MS = 7000
/** Longer than a stream or a connection may be silent before it is given up. */
const SILENT_MS = 27_000

/** While something is away: at least for so long, and until JTS has seen it. */
type Away = (ms: number) => Promise<void>
type Harm = (rig: FaultRig, away: Away) => Promise<void>
type Fault = {
  readonly what: string
  readonly harm: Harm
  /** Nothing, where nothing is wrong that a person could see. */
  readonly told?: RegExp
  /** Done in every run of the tests, where no other test does it; the others in the full ones. */
  readonly sample?: boolean
}

const killed =
  (unit: string): Harm =>
  async (rig) => {
    rig.signal(unit, 'SIGKILL')
    await rig.untilUp(unit)
  }
const stopped =
  (unit: string): Harm =>
  async (rig, away) => {
    rig.signal(unit, 'SIGSTOP')
    await away(AWAY_MS)
    rig.signal(unit, 'SIGCONT')
  }
const refused =
  (link: LinkName): Harm =>
  async ({ links }, away) => {
    await links[link].refuse()
    links[link].cut()
    await away(AWAY_MS)
    await links[link].accept()
  }
/** Links stay open and carry nothing in this direction; what was held back comes late. */
const silent =
  (link: LinkName, direction: 'up' | 'down', isChosen: (hello: string) => boolean = () => true): Harm =>
  async ({ links }, away) => {
    links[link].choose((hello) => isChosen(hello.toString('latin1')))
    links[link].stall(direction)
    await away(SILENT_MS)
    links[link].flow()
    links[link].choose(() => true)
  }
const slow =
  (link: LinkName, ms: number): Harm =>
  async ({ links }) => {
    links[link].delay(ms)
    await sleep(AWAY_MS * 2)
    links[link].delay(0)
  }
const isRequest = (hello: string): boolean => !/upgrade: websocket/i.test(hello)

const UNANSWERED = /Order without an answer/
/** Whichever is seen first: that the stream is gone, or that orders are. */
const NO_VENUE = /binance-service is (degraded: it has no connection to its broker|down: the breaker is open)/
/** A broker service reads no topic. */
const READERS = SERVICE_NAMES.filter((name) => name !== 'binance-service')

const FAULTS: readonly Fault[] = [
  ...SERVICE_NAMES.map((unit): Fault => ({
    what: `${unit} is killed`,
    told: new RegExp(`${unit} is down: its process was ended by SIGKILL`),
    harm: killed(unit),
  })),
  ...SERVICE_NAMES.map((unit): Fault => ({
    what: `${unit} stands still`,
    told: new RegExp(`${unit} is down: its process (does not answer|ended)`),
    harm: stopped(unit),
  })),
  {
    what: 'PostgreSQL is killed',
    told: /postgresql is down/,
    harm: async ({ postgres }, away) => {
      await postgres.kill9()
      await away(AWAY_MS)
      await postgres.restart()
    },
    sample: true,
  },
  {
    what: 'PostgreSQL stands still',
    told: /postgresql is down/,
    harm: async ({ postgres }, away) => {
      postgres.pause()
      await away(AWAY_MS)
      postgres.resume()
    },
  },
  { what: 'no link to PostgreSQL', told: /postgresql is down/, harm: refused('postgres') },
  { what: 'links to PostgreSQL that bring no answer', told: /postgresql is down/, harm: silent('postgres', 'down') },
  { what: 'links to PostgreSQL that take no question', told: /postgresql is down/, harm: silent('postgres', 'up') },
  {
    what: "order execution's links to PostgreSQL bring no answer",
    told: /order-execution is down: PostgreSQL does not answer it/,
    harm: silent('postgres', 'down', (hello) => hello.includes('jts order-execution')),
  },
  { what: 'slow links to PostgreSQL', harm: slow('postgres', 200) },

  {
    what: 'Kafka is killed',
    told: /kafka is down/,
    harm: async ({ kafka }, away) => {
      await kafka.kill9()
      await away(AWAY_MS)
      await kafka.restart()
    },
  },
  {
    what: 'Kafka stands still',
    told: /kafka is down/,
    harm: async ({ kafka }, away) => {
      kafka.pause()
      await away(AWAY_MS)
      kafka.resume()
    },
  },
  { what: 'no link to Kafka', told: /kafka is down/, harm: refused('kafka') },
  { what: 'links to Kafka that bring no answer', told: /kafka is down/, harm: silent('kafka', 'down') },
  { what: 'links to Kafka that take no question', told: /kafka is down/, harm: silent('kafka', 'up') },
  {
    what: "order execution's links to Kafka bring no answer",
    told: /order-execution is down: Kafka does not answer it/,
    harm: silent('kafka', 'down', (hello) => hello.includes('order-execution')),
  },
  { what: 'slow links to Kafka', harm: slow('kafka', 200) },

  {
    what: 'the venue is killed',
    told: NO_VENUE,
    harm: async (rig, away) => {
      await rig.killVenue()
      await away(AWAY_MS)
      await rig.startVenue()
    },
  },
  { what: 'no link to the venue', told: NO_VENUE, harm: refused('venue') },
  { what: 'links to the venue that bring no answer', told: NO_VENUE, harm: silent('venue', 'down') },
  // The stream of the account's events tells what the answers would have told.
  { what: 'requests to the venue are not answered', harm: silent('venue', 'down', isRequest) },
  {
    what: 'requests to the venue arrive late',
    told: UNANSWERED,
    harm: async (rig) => {
      const { venue } = rig.links
      const before = rig.told.length
      venue.choose((hello) => isRequest(hello.toString('latin1')))
      venue.stall('up')
      await rig.untilTold(UNANSWERED, before)
      venue.flow()
      venue.choose(() => true)
    },
    sample: true,
  },
  { what: 'slow links to the venue', harm: slow('venue', 400) },

  { what: 'Kafka delivers what it has delivered', harm: deliverAgain },
  ...READERS.map((unit): Fault => ({
    what: `the offsets of ${unit} are rewound`,
    told: new RegExp(`${unit} is down: its process was ended by SIGKILL`),
    harm: rewindOffsets(unit),
  })),
  {
    what: 'another process takes order execution over in the middle of its orders',
    told: /order-execution is down: its process (does not answer|ended)/,
    harm: takeOver('order-execution'),
  },
  {
    what: 'another process takes the broker service over in the middle of its orders',
    told: /binance-service is down: its process (does not answer|ended)/,
    harm: takeOver('binance-service'),
  },
]

let rig: FaultRig
before(async () => {
  rig = await FaultRig.start()
  await rig.untilItTrades()
})
after(async () => {
  await rig?.stop()
})

for (const { what, harm, told, sample } of FAULTS) {
  if (!FULL && sample !== true) continue
  test(what, async () => {
    const before = rig.told.length
    const said = rig.said.length
    await harm(rig, async (ms) => {
      await sleep(ms)
      if (told !== undefined) await rig.untilSaid(told, said)
    })
    if (told !== undefined) await rig.untilTold(told, before)
    await rig.untilItTrades()
    await rig.untilThePromiseHolds()
    await rig.untilAllIsWell(before)
  })
}

test('a supervisor that stands still is halted all the same: it ends, and starts halted', async () => {
  rig.up.child.kill('SIGSTOP')
  const halt = await runJts(['halt', '--data-dir', rig.dir, '--json'], rig.env)
  assert.equal(halt.code, 0, halt.stderr)
  assert.equal((await rig.up.ended).signal, 'SIGKILL')
  const dashboard = await rig.startUp()
  const answer = await fetch(new URL('/api/v1/status', dashboard))
  const { data } = (await answer.json()) as { data: { tradingState: string } }
  assert.equal(data.tradingState, 'halted')
})
