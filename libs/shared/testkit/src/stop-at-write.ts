/**
 * Preloaded into a process under test (`--import`): stops it (SIGSTOP) in the moment in which a new order would go to the
 * socket, as a machine may stand still exactly between «on disk» and «on the wire». Woken up, it goes on and writes.
 *
 * JTS_STOP_AT_WRITE names a file: whoever finds it there takes it away and stops, so that one process stops each time that it
 * is put there.
 */
import { rmSync } from 'node:fs'
import { Socket } from 'node:net'

const armed = process.env['JTS_STOP_AT_WRITE']
if (armed !== undefined) {
  const real = Socket.prototype.write
  Socket.prototype.write = function (this: Socket, ...args: unknown[]): boolean {
    const [chunk] = args
    const text = typeof chunk === 'string' ? chunk : Buffer.isBuffer(chunk) ? chunk.toString('latin1') : ''
    if (text.startsWith('POST /api/v3/order') && isTaken(armed)) process.kill(process.pid, 'SIGSTOP')
    return (real as (...args: unknown[]) => boolean).apply(this, args)
  } as typeof real
}

function isTaken(file: string): boolean {
  try {
    rmSync(file)
    return true
  } catch {
    return false
  }
}
