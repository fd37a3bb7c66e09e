/**
 * The commits of one unit, numbered so that each is made once. One whose answer is lost is asked about, and made again only when it is
 * not there. So are the last relaxed commits, which PostgreSQL acknowledges before they are on its disk and which its crash undoes.
 */
import type { Logger } from '@jts/runtime'
import type { Sql } from 'postgres'
import { isPassing, RETRY_MS } from './postgres-connection.ts'
import { REFUSED } from './postgres-schema.ts'

export class UnitTakenError extends Error {
  override readonly name = 'UnitTakenError'
}

/** Relaxed commits in a row, after which one waits for the disk: so many are kept in memory to be made again. */
const RELAXED_MAX = 100

export type NumberedCommitsOptions = {
  readonly sql: Sql
  readonly shared: string
  readonly unit: string
  readonly log: Logger
  readonly isClosed: () => boolean
  /** Calls the commit function; its row names the commit. */
  readonly ask: (parameters: readonly unknown[]) => Promise<readonly { readonly number?: number }[]>
}

/** What is said to the commit function, written anew for each attempt. */
export type Written<T> = { readonly parameters: readonly unknown[]; readonly result: T }

export class NumberedCommits {
  readonly #options: NumberedCommitsOptions
  #epoch = 0
  #last = 0
  /** Acknowledged since the last durable commit, which put all before it on disk too. */
  #relaxed: { readonly number: number; readonly parameters: readonly unknown[] }[] = []

  constructor(options: NumberedCommitsOptions) {
    this.#options = options
  }

  /** From here on they are made at this epoch. */
  goOnFrom(epoch: number, last: number): void {
    this.#epoch = epoch
    this.#last = last
  }

  /** Made since the unit exists. */
  get count(): number {
    return this.#last
  }

  /** Something acknowledged may not be on the disk of the database yet. */
  get hasRelaxed(): boolean {
    return this.#relaxed.length > 0
  }

  /**
   * Makes the next commit; returns what belongs to the attempt that came through.
   * @throws UnitTakenError when another owner has the unit
   */
  async make<T>(
    wantsDurable: boolean,
    write: (number: number, isDurable: boolean) => Promise<Written<T>>,
    onSequenceMoved: () => void,
  ): Promise<T> {
    const { unit, log } = this.#options
    const number = this.#last + 1
    const isDurable = wantsDurable || this.#relaxed.length >= RELAXED_MAX
    // As last sent: an earlier attempt may be the one that has come through, and it said the same.
    let written: Written<T> | undefined
    let isUnsure = false
    for (;;) {
      try {
        written = await write(number, isDurable)
        await this.#ask(number, written.parameters)
      } catch (error) {
        const code = (error as { code?: string }).code
        if (code === REFUSED.sequenceMoved) {
          onSequenceMoved()
          continue
        }
        // Refused by number: it has come through before, or the commits before it are gone.
        const isRefused = code === REFUSED.notOwner
        if (this.#options.isClosed() || !(isRefused ? isUnsure || this.hasRelaxed : isPassing(error))) throw error
        log.warn({ unit, err: error }, 'the database does not answer; trying again')
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
        // The commit may have come through, and its answer been lost; or it may still be under way.
        isUnsure ||= !isRefused
        const last = await this.#lastThere()
        if (last === number - 1) continue
        if (last !== number || !isUnsure || written === undefined) {
          throw new Error(`expected commit ${number - 1} of unit ${unit} to be the last, found ${last}`, {
            cause: error,
          })
        }
      }
      this.#last = number
      if (isDurable) this.#relaxed = []
      else this.#relaxed.push({ number, parameters: written.parameters })
      return written.result
    }
  }

  /** An answer counts when it names the commit: the driver has been seen to settle a question with what was not its answer. */
  async #ask(number: number, parameters: readonly unknown[]): Promise<void> {
    const [row] = await this.#options.ask(parameters)
    if (row?.['number'] === number) return
    throw Object.assign(new Error(`expected the answer to commit ${number}, found ${JSON.stringify(row)}`), {
      code: 'CONNECTION_CONFUSED',
    })
  }

  /**
   * The last commit that is there, after one whose answer was lost. What a crash of the database has undone is made again
   * first. Waits until the database answers.
   */
  async #lastThere(): Promise<number> {
    const { sql, shared, unit, log } = this.#options
    for (;;) {
      try {
        const [row] = await sql.unsafe(`SELECT epoch, commits FROM ${shared}.units WHERE unit = $1`, [unit])
        if (row === undefined || row['epoch'] !== this.#epoch) {
          throw new UnitTakenError(`unit ${unit} was taken over at epoch ${row?.['epoch']}`)
        }
        const last = row['commits'] as number
        const undone = this.#relaxed.filter(({ number }) => number > last)
        if (undone[0]?.number !== last + 1) return last
        for (const { number, parameters } of undone) await this.#ask(number, parameters)
        log.warn({ unit, commits: undone.length }, 'the database crashed: made its last commits again')
        return this.#last
      } catch (error) {
        // Refused by number: an attempt that was given up has come through after all.
        const isAgain = isPassing(error) || (error as { code?: string }).code === REFUSED.notOwner
        if (this.#options.isClosed() || !isAgain) throw error
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }
}
