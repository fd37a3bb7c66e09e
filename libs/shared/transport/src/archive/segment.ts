/**
 * One file of the archive: events of one partition in offset order, as they were in the log, packed by gzip. A record is its
 * offset (8 bytes), its length (4 bytes, both little-endian) and the event's bytes.
 */
import { createHash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'

export type StoredEvent = { readonly offset: number; readonly event: Uint8Array }

const HEAD = 12

export function packSegment(events: readonly StoredEvent[]): { readonly file: Buffer; readonly contentSha256: string } {
  const size = events.reduce((sum, { event }) => sum + HEAD + event.length, 0)
  const content = Buffer.alloc(size)
  let at = 0
  for (const { offset, event } of events) {
    content.writeBigUInt64LE(BigInt(offset), at)
    content.writeUInt32LE(event.length, at + 8)
    content.set(event, at + HEAD)
    at += HEAD + event.length
  }
  return { file: gzipSync(content), contentSha256: sha256(content) }
}

export function unpackSegment(file: Uint8Array): StoredEvent[] {
  const content = gunzipSync(file)
  const events: StoredEvent[] = []
  for (let at = 0; at < content.length;) {
    const offset = Number(content.readBigUInt64LE(at))
    const length = content.readUInt32LE(at + 8)
    events.push({ offset, event: content.subarray(at + HEAD, at + HEAD + length) })
    at += HEAD + length
  }
  return events
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}
