/**
 * The lock-step message: how the conductor drives a local venue through a recorded market (WebSocket, JSON text frames, on
 * the venue's own port at `LOCK_STEP_PATH`). It is the one contract that a local venue shares with JTS.
 *
 * A replay is a list of positions. The venue moves on only by a conditional release: «release what follows `at`, if you
 * are at `at` and your counters are still these». A release runs phases until one of them has produced a message:
 * per recorded bar `open` (resting orders that the open fills), `match` (resting limit orders that the range fills, timed at
 * the close) and `close` (the closed kline, which always ends a release); per recorded trade `match` (orders that it fills)
 * and `trade` (its notice, which always ends a release). Repeating a release that has been carried out is answered `refused`
 * with reason `position` and the present state, so a restarted conductor finds its place.
 *
 * A connection is named by the client's TCP port, which both ends know and no broker's protocol has to carry.
 */
export const LOCK_STEP_PATH = '/jts/lock-step'

/** Messages sent by the venue on each of the client's open WebSocket connections, by the client's TCP port. */
export type SentCounters = Readonly<Record<string, number>>

export type LockStepState = {
  /** Phases carried out since the start; survives a restart of the venue. */
  readonly position: number
  /** Bars (or trades) whose last phase has been released. */
  readonly released: number
  readonly total: number
  /** Market time of the last released phase, µs; 0 before the first. */
  readonly timeUs: number
  readonly done: boolean
  /** SHA-256 over the replay's inputs, so that a conductor with other files is refused. */
  readonly inputsSha256: string
  /** Requests that the venue has read and not yet answered. */
  readonly openRequests: number
  readonly sent: SentCounters
}

export type LockStepRequest =
  | { readonly type: 'attach'; readonly id: number; readonly token: string }
  /** `received`: what the client has read on each of its connections; the venue compares it with what it has sent. */
  | { readonly type: 'release'; readonly id: number; readonly at: number; readonly received: SentCounters }
  /** Answered as soon as the venue's state differs from `position`/`sent` as given, or has no open requests. */
  | { readonly type: 'look'; readonly id: number }

export type LockStepPhase = 'open' | 'match' | 'close' | 'trade'

export type LockStepReply =
  | { readonly type: 'state'; readonly id: number; readonly state: LockStepState }
  | { readonly type: 'released'; readonly id: number; readonly phase: LockStepPhase; readonly state: LockStepState }
  | {
      readonly type: 'refused'
      readonly id: number
      /** `position`: not at `at`; `counters`: messages or requests in flight; `done`: nothing left; `token`: not attached. */
      readonly reason: 'position' | 'counters' | 'done' | 'token' | 'malformed'
      readonly message: string
      readonly state?: LockStepState
    }
