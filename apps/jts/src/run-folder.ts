/**
 * A replay's folder: what it was started with, and its summary once it has finished. The same command goes on where it
 * stopped, a finished one says its summary again, and other inputs are refused.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from './cli.ts'

export type RunInputs = Readonly<Record<string, unknown>>
type RunFile = { readonly inputs: RunInputs; readonly summary?: unknown }

export class RunFolder {
  readonly #file: string
  readonly #run: RunFile

  /** @throws UserError when the folder holds a run with other inputs. */
  constructor(folder: string, inputs: RunInputs) {
    mkdirSync(folder, { recursive: true })
    this.#file = join(folder, 'run.json')
    if (!existsSync(this.#file)) {
      if (existsSync(join(folder, 'jts.sqlite'))) {
        throw new UserError(
          `expected ${folder} to be empty or a replay's folder, found the state of another kind of run`,
        )
      }
      this.#run = { inputs }
      this.#write(this.#run)
      return
    }
    this.#run = JSON.parse(readFileSync(this.#file, 'utf8')) as RunFile
    const differing = Object.keys({ ...this.#run.inputs, ...inputs }).filter(
      (key) => JSON.stringify(this.#run.inputs[key]) !== JSON.stringify(inputs[key]),
    )
    if (differing.length > 0) {
      const lines = differing.map(
        (key) => `  ${key}: expected ${JSON.stringify(this.#run.inputs[key])}, found ${JSON.stringify(inputs[key])}`,
      )
      throw new UserError(
        `the data folder ${folder} belongs to a run with other inputs:\n${lines.join('\n')}\nChoose another folder with --data-dir.`,
      )
    }
  }

  /** The summary of a run that has finished. */
  get summary(): unknown {
    return this.#run.summary
  }

  finish(summary: unknown): void {
    this.#write({ ...this.#run, summary })
  }

  /** Replaced in one step: a kill leaves the old file or the new one. */
  #write(run: RunFile): void {
    const fresh = `${this.#file}.new`
    const file = openSync(fresh, 'w')
    writeSync(file, `${JSON.stringify(run, null, 2)}\n`)
    fsyncSync(file)
    closeSync(file)
    renameSync(fresh, this.#file)
  }
}
