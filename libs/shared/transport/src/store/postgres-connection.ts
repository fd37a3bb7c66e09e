/**
 * Connections to PostgreSQL that notice when the other side has gone without a word: a link that was cut, or a server that
 * stands. The driver itself would wait for as long as the operating system does, a quarter of an hour.
 */
import { connect, type Socket } from 'node:net'
import postgres, { type Options, type Sql } from 'postgres'

/** Longer than any answer of ours takes; an idle connection is simply opened again. */
const SILENCE_MS = 10_000
const CONNECT_SECONDS = 5

type Parsed = { readonly host: readonly string[]; readonly port: readonly number[]; readonly path?: string | false }

export function openPostgres(url: string, options: Options<Record<string, never>>, silenceMs = SILENCE_MS): Sql {
  // The driver passes the options as it has parsed them: the hosts and ports of the address.
  let attempts = 0
  const socket = ({ host, port, path }: Parsed): Socket => {
    const next = attempts++ % host.length
    const opened = connect(path ? { path } : { host: host[next]!, port: port[next]! })
    opened.setNoDelay(true)
    endWhenSilent(opened, silenceMs)
    return opened
  }
  return postgres(url, {
    max_lifetime: null,
    connect_timeout: CONNECT_SECONDS,
    onnotice: () => undefined,
    ...options,
    socket,
  } as Options<Record<string, never>>) as unknown as Sql
}

/** Counts bytes instead of waiting for the socket's own time-out, whose listener TLS would remove. */
function endWhenSilent(socket: Socket, silenceMs: number): void {
  let read = 0
  let isSilent = false
  const timer = setInterval(() => {
    if (socket.destroyed) return clearInterval(timer)
    if (isSilent && socket.bytesRead === read) {
      clearInterval(timer)
      socket.destroy(Object.assign(new Error(`found no answer within ${silenceMs / 1000} s`), { code: 'ETIMEDOUT' }))
      return
    }
    isSilent = socket.bytesRead === read
    read = socket.bytesRead
  }, silenceMs / 2)
  timer.unref()
}

/** One question that costs nothing, for whoever wants to know whether the server answers. */
export function pingOf(url: string): { ask(): Promise<unknown>; stop(): Promise<void> } {
  const sql = openPostgres(url, { max: 1, connection: { application_name: 'jts ping' } })
  let asking: Promise<unknown> | undefined
  return {
    // A question that waits for its answer is not asked a second time.
    ask: () => (asking ??= sql`SELECT 1`.finally(() => (asking = undefined))),
    stop: () => sql.end({ timeout: 1 }),
  }
}
