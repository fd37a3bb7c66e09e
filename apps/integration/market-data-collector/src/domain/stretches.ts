/**
 * Which times of a series are collected: stretches, each without a hole but for what the source has not. A run asks for what
 * lies between them, so that nothing is asked for twice, whichever range is wanted and wherever a run was killed.
 */
export type Stretch = {
  /** Open times from here (included) to there (not) have been asked for. */
  readonly fromUs: number
  readonly untilUs: number
  /** Of the bars in it; 0 where the source had none. */
  readonly firstOpenUs: number
  readonly lastCloseUs: number
}

export type Missing = {
  readonly fromUs: number
  readonly untilUs: number
  /** The stretch that it goes on, and the one that it leads to. */
  readonly before: Stretch | undefined
  readonly after: Stretch | undefined
}

/** The first part of a range that is not collected; undefined when all of it is. @param stretches in order of time */
export function firstMissing(stretches: readonly Stretch[], fromUs: number, untilUs: number): Missing | undefined {
  let at = fromUs
  let before: Stretch | undefined
  for (const stretch of stretches) {
    if (stretch.untilUs < at) continue
    if (stretch.fromUs > at) {
      if (at >= untilUs) return undefined
      const isReached = stretch.fromUs <= untilUs
      return { fromUs: at, untilUs: Math.min(stretch.fromUs, untilUs), before, after: isReached ? stretch : undefined }
    }
    before = stretch
    at = stretch.untilUs
  }
  return at >= untilUs ? undefined : { fromUs: at, untilUs, before, after: undefined }
}

/** The bars of an answer, or none; `isWhole` when the source has no more of what was missing. */
export type Answer = { readonly firstOpenUs: number; readonly lastCloseUs: number; readonly isWhole: boolean }

/**
 * The stretch as it is after an answer. The end of a range that no later bar proves to be past stays open: the source may get
 * its bars late, so it is asked again.
 */
export function grown({ fromUs, before, after }: Missing, answer: Answer): Stretch {
  const own: Stretch = {
    fromUs: before?.fromUs ?? fromUs,
    untilUs: answer.lastCloseUs > 0 ? answer.lastCloseUs + 1 : (before?.untilUs ?? fromUs),
    firstOpenUs: before !== undefined && before.firstOpenUs > 0 ? before.firstOpenUs : answer.firstOpenUs,
    lastCloseUs: answer.lastCloseUs > 0 ? answer.lastCloseUs : (before?.lastCloseUs ?? 0),
  }
  if (!answer.isWhole || after === undefined) return own
  return {
    ...own,
    untilUs: after.untilUs,
    firstOpenUs: own.firstOpenUs > 0 ? own.firstOpenUs : after.firstOpenUs,
    lastCloseUs: after.lastCloseUs > 0 ? after.lastCloseUs : own.lastCloseUs,
  }
}
