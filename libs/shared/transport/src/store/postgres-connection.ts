/**
 * Connections to PostgreSQL that notice when the other side has gone without a word: a link that was cut, or a server that
 * stands. The driver itself would wait for as long as the operating system does, a quarter of an hour.
 */
import { connect, type Socket } from 'node:net'
import postgres, { type Options, type Sql } from 'postgres'
import { migrationsFrom, SCHEMA_VERSION, sharedSchemaName } from './postgres-schema.ts'

/** Longer than any answer of ours takes; an idle connection is simply opened again. */
const SILENCE_MS = 10_000
const CONNECT_SECONDS = 5
/**
 * What the driver does not hold back in the hope of more to send. A connection that is lost with something held back holds back the
 * greeting of the next one too, and that one is given up after CONNECT_SECONDS; so a greeting is made as long, by spaces behind
 * our name. With TLS the driver asks for that first, in eight bytes, and nothing helps.
 */
const SENT_AT_ONCE = 1024

type Parsed = { readonly host: readonly string[]; readonly port: readonly number[]; readonly path?: string | false }

export function openPostgres(url: string, options: Options<Record<string, never>>, silenceMs = SILENCE_MS): Sql {
  const name = options.connection?.application_name ?? 'jts'
  // The driver passes the options as it has parsed them: the hosts and ports of the address.
  let attempts = 0
  const socket = ({ host, port, path }: Parsed): Socket => {
    const next = attempts++ % host.length
    const opened = connect(path ? { path } : { host: host[next]!, port: port[next]! })
    opened.setNoDelay(true)
    endWhenSilent(opened, silenceMs)
    closePlainly(opened)
    return opened
  }
  return postgres(url, {
    max_lifetime: null,
    connect_timeout: CONNECT_SECONDS,
    onnotice: () => undefined,
    ...options,
    connection: { ...options.connection, application_name: name.padEnd(SENT_AT_ONCE) },
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

/**
 * At a close «after an error» the driver leaves a question alone that was asked after that error, and settles it with the greeting
 * of its next connection: as if it had been answered. At a plain close it says that the connection is lost.
 */
function closePlainly(socket: Socket): void {
  const emit = socket.emit.bind(socket) as (name: string | symbol, ...values: unknown[]) => boolean
  socket.emit = (name: string | symbol, ...values: unknown[]) =>
    name === 'close' ? emit(name, false) : emit(name, ...values)
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

export const RETRY_MS = 200
/** PostgreSQL's words for «not now»: shutting down, starting up, deadlock, serialization. */
const PASSING = new Set(['57P01', '57P02', '57P03', '40001', '40P01', '53300'])

/** PostgreSQL's words for a table and a schema that do not exist. */
const NOT_THERE = new Set(['42P01', '3F000'])

export type PoolOptions = { readonly connections?: number | undefined; readonly silenceMs?: number | undefined }

/** What units and their table are read and written through. @param name shown in PostgreSQL's list of sessions */
export function connectPostgres(url: string, name: string, { connections = 2, silenceMs }: PoolOptions = {}): Sql {
  const settings = {
    max: connections,
    backoff: () => RETRY_MS / 1000,
    connection: { application_name: `jts ${name}`.slice(0, 63) },
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } } as never,
  }
  return openPostgres(url, settings, silenceMs)
}

/** Brings the shared schema to today's version. @throws Error when the database was written by a newer one. */
export async function migrate(connection: Sql, namespace: string): Promise<void> {
  const shared = sharedSchemaName(namespace)
  if ((await versionOf(connection, shared)) === SCHEMA_VERSION) return
  await connection.begin(async (sql) => {
    await sql.unsafe('SELECT pg_advisory_xact_lock(hashtext($1))', [`jts ${shared}`])
    await sql.unsafe(`CREATE SCHEMA IF NOT EXISTS ${shared}`)
    await sql.unsafe(`CREATE TABLE IF NOT EXISTS ${shared}.migrations (version bigint NOT NULL)`)
    const [row] = await sql.unsafe(`SELECT coalesce(max(version), 0) AS version FROM ${shared}.migrations`)
    const version = row!['version'] as number
    if (version > SCHEMA_VERSION) {
      throw new Error(
        `expected a database of schema version ${SCHEMA_VERSION} or older, found ${version}: it was written by a newer JTS`,
      )
    }
    await sql.unsafe(`SET LOCAL search_path TO ${shared}`)
    for (const migration of migrationsFrom(version)) await sql.unsafe(migration)
    if (version < SCHEMA_VERSION) await sql.unsafe(`INSERT INTO migrations VALUES ($1)`, [SCHEMA_VERSION])
  })
}

/** What is usually true, asked in one question and without the lock: after a kill each unit asks. 0 where nothing is there yet. */
async function versionOf(connection: Sql, shared: string): Promise<number> {
  try {
    const [row] = await connection.unsafe(`SELECT coalesce(max(version), 0) AS version FROM ${shared}.migrations`)
    return row!['version'] as number
  } catch (error) {
    if (NOT_THERE.has((error as { code?: string }).code ?? '')) return 0
    throw error
  }
}

/** The database, or the way to it, is away for now: the same may be asked again. */
export function isPassing(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? ''
  if (PASSING.has(code)) return true
  // The driver's own codes and the sockets': never a SQLSTATE, which has five characters and no underscore.
  return /^(CONNECTION_|CONNECT_|E[A-Z]{3,})/.test(code)
}
