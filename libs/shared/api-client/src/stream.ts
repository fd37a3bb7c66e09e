/** A connection to a broker service's stream that lasts: subscribes again, takes up where it was, drops one with a hole. */
import type { ServerMessage, Subscription } from '@jts/contracts/broker-api'
import { LastingStream, messageOf, streamConnectionName, UnreadableFrame, type StreamTimings } from '@jts/broker-kit'
import type { Activity, Logger, WallClock } from '@jts/runtime'
import { readServerMessage } from './answers.ts'

/** Three heartbeats of silence end a connection. */
const TIMINGS: Partial<StreamTimings> = { silenceMs: 15_000, backoffMinMs: 250, backoffMaxMs: 15_000, sendGapMs: 0 }

export type ApiStreamOptions = {
  readonly url: () => string
  readonly participant: string
  readonly headers: () => Record<string, string>
  readonly clock: WallClock
  readonly activity?: Activity | undefined
  readonly log: Logger
  readonly timings?: Partial<StreamTimings> | undefined
  readonly random?: (() => number) | undefined
  /** Asked for each connection. */
  readonly subscriptions: () => readonly Subscription[]
  /** Data, gaps and balances, in the order of the wire. */
  readonly onMessage: (message: ServerMessage) => void
  /** Everything subscribed is streamed, or something is not. */
  readonly onState: (state: 'up' | 'down', reason: string) => void
  /** The connection was lost, or could not be made. */
  readonly onLost: () => void
}

export type ApiStream = {
  /** Gives up the present connection for another. */
  reconnect(reason: string): void
  stop(): Promise<void>
}

export function openApiStream(options: ApiStreamOptions): ApiStream {
  let seq = 0
  /** By the id of the subscription: its state at the venue, undefined until it is answered. */
  let states = new Map<string, { readonly key: string; state: 'up' | 'down' | undefined; reason: string }>()
  let isUp = false

  const stream: LastingStream = new LastingStream({
    ...options,
    timings: { ...TIMINGS, ...options.timings },
    connectionName: ({ port }, localPort) => streamConnectionName(port, localPort),
    oneByOne: true,
    onOpen() {
      seq = 0
      const wanted = options.subscriptions()
      states = new Map(wanted.map((one, index) => [String(index), { key: keyOf(one), state: undefined, reason: '' }]))
      wanted.forEach((subscription, index) => {
        stream.send(JSON.stringify({ op: 'subscribe', id: String(index), subscription }))
      })
      if (wanted.length === 0) stream.up()
    },
    onText(text) {
      const message = read(text)
      if (message.seq !== seq + 1) {
        return stream.reconnect(`a hole in the stream: expected message ${seq + 1}, found ${message.seq}`)
      }
      seq = message.seq
      take(message)
    },
    onUp: () => undefined,
    onDown: (reason) => tell('down', reason),
    onLost: () => options.onLost(),
  })

  function take(message: ServerMessage): void {
    switch (message.type) {
      case 'subscribed': {
        const { id, state = 'up', reason = '' } = message
        const known = states.get(id)
        if (known !== undefined) Object.assign(known, { state, reason })
        options.onMessage(message)
        if ([...states.values()].every((one) => one.state !== undefined)) stream.up()
        return judge()
      }
      case 'state': {
        const { channel, account, instrument } = message
        const of = account ?? instrument
        for (const one of states.values()) {
          if (of === undefined ? one.key.startsWith(`${channel}/`) : one.key === `${channel}/${of}`)
            Object.assign(one, { state: message.state, reason: message.reason })
        }
        return judge()
      }
      case 'error':
        // Whatever was refused is missing from now on; trying again later is all that can be done.
        return stream.reconnect(`refused: ${message.problem.code} ${message.problem.detail}`)
      case 'gap':
        // Whoever listens asks for what was missed when it is up again.
        if (isUp) {
          tell('down', `gap: ${message.reason}`)
          tell('up', 'after a gap')
        }
        return options.onMessage(message)
      default:
        return options.onMessage(message)
    }
  }

  function judge(): void {
    const all = [...states.values()]
    const down = all.find(({ state }) => state === 'down')
    if (down !== undefined) tell('down', down.reason)
    else if (all.every(({ state }) => state === 'up')) tell('up', 'subscribed')
  }

  function tell(state: 'up' | 'down', reason: string): void {
    if ((state === 'up') === isUp) return
    isUp = state === 'up'
    const venue = `${options.participant}, at the venue`
    if (isUp) options.activity?.present(venue)
    else options.activity?.absent(venue)
    options.onState(state, reason)
  }

  options.activity?.absent(`${options.participant}, at the venue`)
  stream.start()
  return {
    reconnect: (reason) => stream.reconnect(reason),
    async stop() {
      await stream.stop()
      options.activity?.present(`${options.participant}, at the venue`)
    },
  }
}

function read(text: string): ServerMessage {
  try {
    return readServerMessage(JSON.parse(text))
  } catch (error) {
    throw new UnreadableFrame(messageOf(error), { cause: error })
  }
}

function keyOf(subscription: Subscription): string {
  return `${subscription.channel}/${'account' in subscription ? subscription.account : subscription.instrument}`
}
