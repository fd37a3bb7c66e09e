/** A recording that cannot be trusted: says which file, which line, what was expected and what was found. */
export class RecordedMarketError extends Error {
  override readonly name = 'RecordedMarketError'
  readonly file: string
  /** The file's own line number, the first is 1; 0 when the file as a whole is meant. */
  readonly line: number

  constructor(file: string, line: number, expected: string, found: string, cause?: unknown) {
    super(`${file}${line > 0 ? ` line ${line}` : ''}: expected ${expected}, found ${found}`, { cause })
    this.file = file
    this.line = line
  }
}
