/** Computed ids: a second reading of the same cause gives the same id. */
import { createHash } from 'node:crypto'

/** 22 characters of `[A-Za-z0-9_-]` (132 bits) from the parts, which are separated so that no two lists collide. */
export function computedId(...parts: readonly (string | number)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) {
    const text = String(part)
    hash.update(`${text.length}:`).update(text)
  }
  return hash.digest('base64url').slice(0, 22)
}
