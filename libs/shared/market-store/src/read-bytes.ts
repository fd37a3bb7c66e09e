/** The decompressed bytes of a recording. */
import { readFile } from 'node:fs/promises'
import { constants, gunzip, gunzipSync } from 'node:zlib'
import { promisify } from 'node:util'
import { RecordedMarketError } from './recorded-market-error.ts'

const gunzipAsync = promisify(gunzip)

export async function readBytes(file: string): Promise<Buffer> {
  const raw = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw new RecordedMarketError(file, 0, 'a readable file', error.code ?? error.message, error)
  })
  if (file.endsWith('.zip') || (raw[0] === 0x50 && raw[1] === 0x4b)) {
    throw new RecordedMarketError(file, 0, 'a CSV, plain or gzip', 'a zip archive: unpack it first')
  }
  const isGzip = raw[0] === 0x1f && raw[1] === 0x8b
  if (file.endsWith('.gz') && !isGzip && raw.length > 0) {
    throw new RecordedMarketError(file, 0, 'gzip data, as the name says', 'something else')
  }
  const bytes = isGzip ? await unpack(file, raw) : raw
  if (bytes.length === 0) throw new RecordedMarketError(file, 1, 'a header or a row', 'an empty file')
  return bytes
}

async function unpack(file: string, raw: Buffer): Promise<Buffer> {
  try {
    return await gunzipAsync(raw)
  } catch (error) {
    const { line, found } = whereItBroke(raw, error as Error)
    throw new RecordedMarketError(file, line, 'gzip data to the end', found, error)
  }
}

/** How far a broken gzip can be read, so that the message can name the line. */
function whereItBroke(raw: Buffer, error: Error): { line: number; found: string } {
  const truncated = /unexpected end/.test(error.message)
  const found = truncated ? 'a truncated file' : error.message
  try {
    const readable = gunzipSync(raw, { finishFlush: constants.Z_SYNC_FLUSH })
    let line = 1
    for (let at = readable.indexOf(10); at !== -1; at = readable.indexOf(10, at + 1)) line++
    return { line, found }
  } catch {
    return { line: 0, found }
  }
}
