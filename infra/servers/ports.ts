/** Ports of the loopback interface. */
import { randomInt } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const LOOPBACK = '127.0.0.1'

/**
 * Below 32768, where Linux begins to take ports for outgoing connections: a client that dials a dead server's port again
 * and again could otherwise be given that very port and end up connected to itself.
 */
const LOWEST = 20_000
const HIGHEST = 32_768
const TRIES_MAX = 1000
/**
 * One file for each port that was given, with the process that gave it. Where processes have folders of their own for temporary
 * files, `JTS_PORTS` names one for all of them.
 */
export const GIVEN_FOLDER = process.env['JTS_PORTS'] ?? join(tmpdir(), 'jts-ports')

/** A port is free until its owner listens, so one that was given is remembered: two services would fight for it for ever. */
const given = new Set<number>()

/** A port of the loopback interface that nobody listens on and that no living JTS of this machine has given before. */
export async function freePort(folder = GIVEN_FOLDER): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = randomInt(LOWEST, HIGHEST)
    if (given.has(port) || !reserve(folder, port)) continue
    given.add(port)
    if (await isFree(port)) return port
  }
  throw new Error(`expected a free port from ${LOWEST} to ${HIGHEST - 1}; found none in ${TRIES_MAX} tries`)
}

/** False while another living process has given the port. Where nothing can be written, nobody is asked. */
function reserve(folder: string, port: number): boolean {
  const file = join(folder, String(port))
  const own = `${file}.${process.pid}`
  try {
    mkdirSync(folder, { recursive: true })
    writeFileSync(own, String(process.pid))
  } catch {
    return true
  }
  try {
    if (!isTaken(file, own)) return true
    if (isAlive(ownerOf(file))) return false
    return takeOver(file, own)
  } finally {
    rmSync(own, { force: true })
  }
}

/** Of a process that is gone. One at a time: the second would remove what the first has just put there. */
function takeOver(file: string, own: string): boolean {
  const taking = `${file}.taking`
  if (isTaken(taking, own)) return false
  try {
    if (isAlive(ownerOf(file))) return false
    rmSync(file, { force: true })
    return !isTaken(file, own)
  } finally {
    rmSync(taking, { force: true })
  }
}

/** A link is there whole or not at all, so that nobody reads half a process id. */
function isTaken(file: string, own: string): boolean {
  try {
    linkSync(own, file)
    return false
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return true
    throw error
  }
}

function ownerOf(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return NaN
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Whether somebody takes a connection there, and why not. */
export function answers(host: string, port: number, timeoutMs: number): Promise<true | string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const end = (result: true | string): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    const timer = setTimeout(() => end(`no answer within ${timeoutMs / 1000} s`), timeoutMs)
    socket.once('connect', () => end(true))
    socket.once('error', (error) => end(error.message))
  })
}
