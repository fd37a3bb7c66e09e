/** What the store port and the bus port promise, on whatever engine stands behind them. Each engine's test file runs this. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { partitionOf, TOPICS, type BusEvent, type NewEvent } from '@jts/contracts'
import fc from 'fast-check'
import { defineTable, type Bus, type LogReader, type Store, type Subscription } from '../index.ts'

export const positions = defineTable('test_positions', { id: 'text', quantity: 'text' }, ['id'])
export const values = defineTable(
  'test_values',
  { name: 'text', number: 'integer', text: 'text?', count: 'integer?', real: 'real', ratio: 'real?' },
  ['name', 'number'],
)

export type Opened = {
  readonly store: Store
  readonly bus: Bus & LogReader
  readonly failures: readonly unknown[]
  /** Everything written has been committed, delivered and handled. */
  settled(): Promise<void>
  close(): Promise<void>
}

/** A place that outlives the process: a folder, a database with a namespace. */
export type Place = {
  open(): Promise<Opened>
  /** Another process takes over what the opened one owns. */
  takeOver(): Promise<void>
}

export type Engine = { readonly name: string; place(): Promise<Place>; stop?(): Promise<void> }

export function accepted(stream: string, n: number): NewEvent {
  return {
    type: 'OrderAccepted',
    stream,
    account: stream,
    correlationId: `c${n}`,
    causationId: '',
    timeEventUs: n,
    payload: { ref: undefined, clientOrderId: `o${n}`, venueOrderId: String(n) },
  }
}

function collecting(group: string, seen: BusEvent[]): Subscription {
  return { group, topics: ['orders.events'], handle: (event) => void seen.push(event) }
}

function publish({ store }: Opened, stream: string, ...numbers: number[]): void {
  for (const n of numbers) store.transact((turn) => turn.publish('orders.events', accepted(stream, n)))
}

/** Up to a minute. What is asserted afterwards says what was missing. */
async function until(isTrue: () => boolean, everyMs = 20): Promise<void> {
  for (const end = performance.now() + 60_000; !isTrue() && performance.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

const MAIN = 'sim.binance.main'
const numbersOf = (events: readonly BusEvent[]): number[] => events.map((event) => event.timeEventUs)

export function transportContract(engine: Engine): void {
  const { name } = engine
  after(() => engine.stop?.())

  test(`${name}: rows come back as they were written, in key order, and the last one written stands`, async () => {
    const place = await engine.place()
    const first = await place.open()
    const rows = [
      { name: 'b', number: 2, text: null, count: null, real: 0.1, ratio: null },
      { name: 'B', number: 9_007_199_254_740_991, text: '', count: -5, real: -1e-300, ratio: 1e300 },
      { name: 'a"\\\'\n한글', number: -1, text: '{"x":[1]}', count: 0, real: 3, ratio: 0 },
    ]
    first.store.transact((turn) => {
      turn.put(values, { ...rows[0]!, text: 'first' })
      for (const row of rows) turn.put(values, row)
      turn.put(positions, { id: 'gone', quantity: '1' })
      turn.put(positions, { id: 'x', quantity: '0.00000001' })
    })
    first.store.transact((turn) => turn.remove(positions, { id: 'gone' }))
    await first.close()
    const second = await place.open()
    assert.deepEqual(
      (await second.store.all(values)).map((row) => ({ ...row })),
      [rows[1], rows[2], rows[0]],
    )
    assert.deepEqual(
      (await second.store.all(positions)).map((row) => ({ ...row })),
      [{ id: 'x', quantity: '0.00000001' }],
    )
    await second.close()
  })

  test(`${name}: the last rows of a table are read by a column and a filter, oldest first`, async () => {
    const opened = await (await engine.place()).open()
    opened.store.transact((turn) => {
      for (let n = 1; n <= 20; n++) {
        const row = {
          name: `n${(n * 7) % 20}`,
          number: n,
          text: n % 2 === 0 ? 'even' : 'odd',
          count: 0,
          real: 0,
          ratio: 0,
        }
        turn.put(values, row)
      }
    })
    await opened.store.durable()
    const last = async (count: number, where: { text?: string }): Promise<number[]> =>
      (await opened.store.last(values, { by: 'number', count, where })).map(({ number }) => number)
    assert.deepEqual(await last(3, { text: 'odd' }), [15, 17, 19])
    assert.deepEqual(await last(2, {}), [19, 20])
    assert.deepEqual(await last(100, { text: 'none' }), [])
    await opened.close()
  })

  test(`${name}: an event is delivered to every group in stream order with gap-free sequences and computed ids`, async () => {
    const opened = await (await engine.place()).open()
    const a: BusEvent[] = []
    const b: BusEvent[] = []
    opened.bus.subscribe(collecting('a', a))
    opened.bus.subscribe(collecting('b', b))
    await opened.bus.start()
    publish(opened, MAIN, 1, 2, 3, 4, 5)
    await opened.settled()
    assert.deepEqual(
      a.map((event) => event.sequence),
      [1, 2, 3, 4, 5],
    )
    assert.equal(a[4]!.eventId, 'orders.events/sim.binance.main/5')
    assert.deepEqual(a, b)
    await opened.close()
  })

  test(`${name}: a handler that throws leaves no row, no event and no effect behind`, async () => {
    const opened = await (await engine.place()).open()
    const seen: BusEvent[] = []
    const effects: string[] = []
    opened.bus.subscribe(collecting('a', seen))
    await opened.bus.start()
    assert.throws(() =>
      opened.store.transact((turn) => {
        turn.put(positions, { id: 'x', quantity: '1' })
        turn.publish('orders.events', accepted(MAIN, 1))
        turn.afterCommit(() => effects.push('of a turn that never was'))
        throw new Error('no')
      }),
    )
    publish(opened, MAIN, 2)
    await opened.settled()
    assert.deepEqual(await opened.store.all(positions), [])
    assert.deepEqual(
      seen.map((event) => [event.sequence, event.correlationId]),
      [[1, 'c2']],
    )
    assert.deepEqual(effects, [])
    await opened.close()
  })

  test(`${name}: a group that reads some streams sees each of their events, and none of another's, across a restart`, async () => {
    const place = await engine.place()
    // All of one partition (a partition has no say in who sees what), and one of another.
    const accounts = Array.from({ length: 60 }, (_, n) => `sim.binance.a${n}`)
    const inOne = accounts.filter((account) => partitionOf(account, TOPICS['orders.events'].partitions) === 3)
    const [first, , third] = inOne
    const wanted = [first!, third!, accounts.find((account) => !inOne.includes(account))!]
    const seen: BusEvent[] = []
    const some = (): Subscription => ({ ...collecting('some', seen), streams: { 'orders.events': wanted } })
    const publishAll = async (opened: Opened, from: number): Promise<void> => {
      opened.bus.subscribe(some())
      await opened.bus.start()
      for (const [n, account] of accounts.entries()) publish(opened, account, from + n, from + n + 1000)
      await opened.settled()
      assert.deepEqual(opened.bus.lag(), [])
      await opened.close()
    }
    await publishAll(await place.open(), 0)
    await publishAll(await place.open(), 100)
    for (const account of wanted) {
      const n = accounts.indexOf(account)
      assert.deepEqual(numbersOf(seen.filter(({ stream }) => stream === account)), [n, n + 1000, n + 100, n + 1100])
    }
    assert.equal(seen.length, 4 * wanted.length)
  })

  test(`${name}: a restarted group goes on after the last event whose run was committed`, async () => {
    const place = await engine.place()
    const first = await place.open()
    first.bus.subscribe(collecting('a', []))
    await first.bus.start()
    publish(first, MAIN, 1)
    await first.settled()
    await first.close()

    const second = await place.open()
    const seen: BusEvent[] = []
    const fresh: BusEvent[] = []
    const latest: BusEvent[] = []
    second.bus.subscribe(collecting('a', seen))
    second.bus.subscribe(collecting('new', fresh))
    second.bus.subscribe({ ...collecting('latest', latest), start: 'latest' })
    await second.bus.start()
    assert.deepEqual([numbersOf(seen), numbersOf(fresh), numbersOf(latest)], [[], [1], []])
    publish(second, MAIN, 2)
    await second.settled()
    assert.deepEqual([numbersOf(seen), numbersOf(fresh), numbersOf(latest)], [[2], [1, 2], [2]])
    await second.close()
  })

  test(`${name}: what a handler publishes is delivered, and rows, offset and events of its run are there together`, async () => {
    const place = await engine.place()
    const first = await place.open()
    const answers: BusEvent[] = []
    const chain = ({ store: _, ...opened }: Opened): void => {
      opened.bus.subscribe({
        group: 'asks',
        topics: ['orders.events'],
        handle: (event, turn) => {
          turn.put(positions, { id: event.eventId, quantity: String(event.sequence) })
          turn.publish('orders.signals', { ...accepted(event.stream, event.timeEventUs) })
        },
      })
      opened.bus.subscribe({
        group: 'answers',
        topics: ['orders.signals'],
        handle: (event) => void answers.push(event),
      })
    }
    chain(first)
    await first.bus.start()
    publish(first, MAIN, 1, 2, 3)
    publish(first, 'sim.binance.other', 4)
    await first.settled()
    await first.close()
    const second = await place.open()
    chain(second)
    await second.bus.start()
    publish(second, MAIN, 5)
    await second.settled()
    assert.deepEqual(numbersOf(answers.filter((event) => event.stream === MAIN)), [1, 2, 3, 5])
    assert.deepEqual(
      answers.filter((event) => event.stream === MAIN).map((event) => event.sequence),
      [1, 2, 3, 4],
    )
    assert.equal((await second.store.all(positions)).length, 5)
    await second.close()
  })

  test(`${name}: an owner that was taken over cannot commit, and its process is told to stop`, async () => {
    const place = await engine.place()
    const opened = await place.open()
    opened.bus.subscribe(collecting('a', []))
    await opened.bus.start()
    publish(opened, MAIN, 1)
    await opened.settled()
    await place.takeOver()
    const effects: string[] = []
    opened.store.transact((turn) => {
      turn.publish('orders.events', accepted(MAIN, 2))
      turn.afterCommit(() => effects.push('spoken'))
    })
    await until(() => opened.failures.length > 0)
    assert.equal(opened.failures.length, 1)
    assert.deepEqual(effects, [], 'nothing leaves a process whose commit was refused')
    assert.throws(() => opened.store.transact(() => undefined), /closed/)
    await opened.close().catch(() => undefined)
  })

  test(`${name}: a poison event on orders.events stops its partition alone and is read again after a restart`, async () => {
    const place = await engine.place()
    const poisoned: string[] = []
    const others: number[] = []
    const first = await place.open()
    first.bus.subscribe({
      group: 'a',
      topics: ['orders.events', 'orders.signals'],
      handle: (event) => {
        if (event.topic === 'orders.signals') return void others.push(event.timeEventUs)
        poisoned.push(event.eventId)
        throw new Error('cannot take it')
      },
    })
    await first.bus.start()
    publish(first, MAIN, 1, 2)
    first.store.transact((turn) => turn.publish('orders.signals', accepted(MAIN, 3)))
    await first.settled()
    assert.deepEqual(poisoned, ['orders.events/sim.binance.main/1'])
    assert.deepEqual(others, [3])
    await first.close()

    const second = await place.open()
    const seen: BusEvent[] = []
    second.bus.subscribe({
      group: 'a',
      topics: ['orders.events', 'orders.signals'],
      handle: (event) => void seen.push(event),
    })
    await second.bus.start()
    assert.deepEqual(numbersOf(seen), [1, 2])
    await second.close()
  })

  test(`${name}: where a group stands still is told, tried again when that is asked for, and told when it reads on`, async () => {
    const place = await engine.place()
    const opened = await place.open()
    const seen: number[] = []
    let isMended = false
    opened.bus.subscribe({
      group: 'a',
      topics: ['orders.events'],
      streams: { 'orders.events': [MAIN] },
      handle: (event) => {
        if (event.timeEventUs === 2 && !isMended) throw new Error('cannot take it')
        seen.push(event.timeEventUs)
      },
    })
    const told: unknown[] = []
    opened.bus.subscribe({
      group: 'ear',
      topics: ['system.health'],
      handle: ({ type, payload }) => void told.push({ type, ...payload }),
    })
    await opened.bus.start()
    publish(opened, MAIN, 1, 2, 3)
    await opened.settled()
    const partition = partitionOf(MAIN, TOPICS['orders.events'].partitions)
    const eventId = `orders.events/${MAIN}/2`
    const stop = { reader: 'a', topic: 'orders.events', partition, eventId, reason: 'cannot take it' }
    assert.deepEqual(opened.bus.stops(), [stop])
    const stopped = { type: 'LogStopped', ...stop, streams: [MAIN] }
    assert.deepEqual(told.splice(0), [stopped])

    const resumed = (reader: string): unknown => ({ type: 'LogResumed', reader })
    assert.deepEqual(await opened.bus.readAgain(), [stop])
    publish(opened, MAIN, 4)
    await opened.settled()
    assert.deepEqual(told.splice(0), [stopped, resumed('ear')])
    assert.deepEqual(seen, [1])

    isMended = true
    assert.deepEqual(await opened.bus.readAgain(), [])
    publish(opened, MAIN, 5)
    await opened.settled()
    assert.deepEqual(seen, [1, 2, 3, 4, 5])
    assert.deepEqual(told, [resumed('a'), resumed('ear')])
    await opened.close()
    // What was read is on disk: it does not come again.
    const again = await place.open()
    again.bus.subscribe({ ...collecting('a', []), handle: (event) => void seen.push(event.timeEventUs) })
    await again.bus.start()
    assert.deepEqual(seen, [1, 2, 3, 4, 5])
    await again.close()
  })

  test(`${name}: an event that may be passed over ends in the dead letters with the reason, once`, async () => {
    const place = await engine.place()
    const opened = await place.open()
    const seen: number[] = []
    opened.bus.subscribe({
      group: 'a',
      topics: ['risk.alerts'],
      handle: (event) => {
        if (event.timeEventUs === 1) throw new Error('cannot take it')
        seen.push(event.timeEventUs)
      },
    })
    await opened.bus.start()
    for (const n of [1, 2]) opened.store.transact((turn) => turn.publish('risk.alerts', accepted(MAIN, n)))
    await opened.settled()
    assert.deepEqual(seen, [2])
    await opened.close()

    const again = await place.open()
    const letters: BusEvent[] = []
    again.bus.subscribe({ group: 'a', topics: ['risk.alerts'], handle: (event) => void seen.push(event.timeEventUs) })
    again.bus.subscribe({
      group: 'b',
      topics: ['dead-letter.risk.alerts'],
      handle: (event) => void letters.push(event),
    })
    await again.bus.start()
    await again.settled()
    assert.deepEqual(seen, [2])
    assert.deepEqual(
      letters.map(({ stream, payload }) => [stream, payload]),
      [
        [
          MAIN,
          {
            topic: 'risk.alerts',
            partition: letters[0]?.type === 'DeadLetter' ? letters[0].payload.partition : -1,
            offset: 0,
            eventId: 'risk.alerts/sim.binance.main/1',
            type: 'OrderAccepted',
            group: 'a',
            reason: 'cannot take it',
          },
        ],
      ],
    )
    await again.close()
  })

  test(`${name}: an effect runs only after the commit that holds its cause, in the order of the turns`, async () => {
    const opened = await (await engine.place()).open()
    const order: string[] = []
    for (const id of ['x', 'y']) {
      opened.store.transact((turn) => {
        turn.put(positions, { id, quantity: '1' })
        turn.afterCommit(() => order.push(`effect of ${id}`))
      })
      order.push(`handler of ${id} ended`)
    }
    await opened.store.durable()
    assert.deepEqual(order, ['handler of x ended', 'handler of y ended', 'effect of x', 'effect of y'])
    await opened.close()
  })

  test(`${name}: a tap sees every event from now on, once, and none after it is taken off`, async () => {
    const opened = await (await engine.place()).open()
    await opened.bus.start()
    publish(opened, MAIN, 1)
    await opened.settled()
    const seen: number[] = []
    const off = opened.bus.tap(['orders.events'], (event) => seen.push(event.timeEventUs))
    // A tap of a distant log begins when the log says where it ends.
    let last = 1
    await until(() => {
      if (seen.length === 0) publish(opened, MAIN, ++last)
      return seen.length > 0
    }, 100)
    publish(opened, MAIN, ++last)
    await until(() => seen.at(-1) === last)
    off()
    publish(opened, MAIN, last + 1)
    await opened.settled()
    const first = seen[0]!
    assert.ok(first > 1)
    assert.deepEqual(
      seen,
      Array.from({ length: last - first + 1 }, (_, i) => first + i),
    )
    await opened.close()
  })

  test(`${name}: a topic is read from any offset on, partition by partition`, async () => {
    const opened = await (await engine.place()).open()
    await opened.bus.start()
    publish(opened, MAIN, 1, 2, 3)
    publish(opened, 'sim.binance.other', 4, 5)
    await opened.settled()
    const all: BusEvent[] = []
    for await (const event of opened.bus.read('orders.events')) all.push(event)
    assert.deepEqual(numbersOf(all.filter((event) => event.stream === MAIN)), [1, 2, 3])
    assert.equal(all.length, 5)
    const { partition } = all.find((event) => event.stream === MAIN)!
    const some: BusEvent[] = []
    for await (const event of opened.bus.read('orders.events', { partition, from: 1, limit: 1 })) some.push(event)
    assert.deepEqual(
      some.map((event) => event.offset),
      [1],
    )
    await opened.close()
  })

  test(`${name}: thousands of events of many streams arrive in the order of each stream, across restarts`, async () => {
    const place = await engine.place()
    const seen: BusEvent[] = []
    let sent = 0
    for (let run = 0; run < 3; run++) {
      const opened = await place.open()
      opened.bus.subscribe({
        group: 'a',
        topics: ['orders.events'],
        handle: (event, turn) => {
          seen.push(event)
          turn.put(positions, { id: event.stream, quantity: String(event.sequence) })
        },
      })
      await opened.bus.start()
      for (let i = 0; i < 1500; i++) publish(opened, `stream-${i % 7}`, ++sent)
      await opened.settled()
      await opened.close()
    }
    assert.equal(seen.length, 4500)
    for (let s = 0; s < 7; s++) {
      const sequences = seen.filter((event) => event.stream === `stream-${s}`).map((event) => event.sequence)
      assert.deepEqual(
        sequences,
        Array.from(sequences, (_, i) => i + 1),
      )
    }
  })

  test(`${name}: whatever is written, removed or thrown away, the rows are those of the turns that ended well`, async () => {
    const opened = await (await engine.place()).open()
    const expected = new Map((await opened.store.all(positions)).map((row) => [row.id, row.quantity]))
    const write = fc.record({ id: fc.constantFrom('a', 'b', 'c'), quantity: fc.option(fc.string({ maxLength: 3 })) })
    const turn = fc.record({ writes: fc.array(write, { maxLength: 4 }), throws: fc.boolean(), waits: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { maxLength: 8 }), async (turns) => {
        for (const { writes, throws, waits } of turns) {
          const work = (): void =>
            opened.store.transact((turn) => {
              for (const { id, quantity } of writes) {
                if (quantity === null) turn.remove(positions, { id })
                else turn.put(positions, { id, quantity: quantity.replaceAll('\0', '') })
              }
              if (throws) throw new Error('no')
            })
          if (throws) assert.throws(work)
          else {
            work()
            for (const { id, quantity } of writes) {
              if (quantity === null) expected.delete(id)
              else expected.set(id, quantity.replaceAll('\0', ''))
            }
          }
          if (waits) await opened.store.durable()
        }
        await opened.store.durable()
        const rows = (await opened.store.all(positions)).map((row) => [row.id, row.quantity])
        assert.deepEqual(rows, [...expected].sort())
      }),
      { numRuns: 30 },
    )
    await opened.close()
  })
}
