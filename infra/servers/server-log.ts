/** What a server's own log tells about a start. */
import { closeSync, openSync, readSync, statSync } from 'node:fs'

const ADVICE: readonly (readonly [sign: RegExp, advice: string])[] = [
  [
    /address (is )?already in use|could not bind|Failed to bind/i,
    'Another program took the port: start again, or give another port.',
  ],
  [/No space left on device/i, 'Free space on the disk, or give a folder on another one.'],
  [/OutOfMemory|Cannot allocate memory|insufficient memory/i, 'Free memory on this machine and start again.'],
  [/Permission denied|Operation not permitted/i, 'Give a folder that the user it runs as may enter and write.'],
]

/** What to do about it. */
export function adviceFor(log: string): string {
  const known = ADVICE.find(([sign]) => sign.test(log))
  return known?.[1] ?? 'Put right what its log says and start again; a new folder starts it without old data.'
}

export function readFrom(file: string, from: number): string {
  const descriptor = openSync(file, 'r')
  try {
    const buffer = Buffer.alloc(Math.max(0, statSync(file).size - from))
    return buffer.toString('utf8', 0, readSync(descriptor, buffer, 0, buffer.length, from))
  } finally {
    closeSync(descriptor)
  }
}
