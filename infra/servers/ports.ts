/** Ports of the loopback interface. */
import { randomInt } from 'node:crypto'
import { connect, createServer } from 'node:net'

export const LOOPBACK = '127.0.0.1'

/**
 * Below 32768, where Linux begins to take ports for outgoing connections: a client that dials a dead server's port again
 * and again could otherwise be given that very port and end up connected to itself.
 */
const LOWEST = 20_000
const HIGHEST = 32_768
const TRIES_MAX = 100

/** A port is free until its owner listens, so one that was given is remembered: two services would fight for it for ever. */
const given = new Set<number>()

/** A port of the loopback interface that nobody listens on and that this process has not given before. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = randomInt(LOWEST, HIGHEST)
    if (given.has(port)) continue
    given.add(port)
    if (await isFree(port)) return port
  }
  throw new Error(`expected a free port from ${LOWEST} to ${HIGHEST - 1}; found none in ${TRIES_MAX} tries`)
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
