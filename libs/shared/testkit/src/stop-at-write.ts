/**
 * Preloaded into a process under test (`--import`): stops it (SIGSTOP) in the moment in which a new order would go to the
 * socket, as a machine may stand still exactly between «on disk» and «on the wire». Woken up, it goes on and writes.
 *
 * JTS_STOP_AT_WRITE names a file that holds the beginning of a path, such as `/api/v3/order` of the venue or `/api/v1/orders` of a
 * broker service: whoever would write an order there takes the file away and stops, so that one process stops each time that it
 * is put there.
 */
import { readFileSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'

const armed = process.env['JTS_STOP_AT_WRITE']
if (armed !== undefined) {
  const real = Socket.prototype.write
  Socket.prototype.write = function (this: Socket, ...args: unknown[]): boolean {
    const [chunk] = args
    const text = typeof chunk === 'string' ? chunk : Buffer.isBuffer(chunk) ? chunk.toString('latin1') : ''
    if (text.startsWith('POST /api/') && isMeant(text, armed) && isTaken(armed)) process.kill(process.pid, 'SIGSTOP')
    return (real as (...args: unknown[]) => boolean).apply(this, args)
  } as typeof real
}

function isMeant(text: string, file: string): boolean {
  try {
    const path = readFileSync(file, 'utf8')
    return path !== '' && text.startsWith(`POST ${path}`)
  } catch {
    return false
  }
}

function isTaken(file: string): boolean {
  try {
    rmSync(file)
    return true
  } catch {
    return false
  }
}
