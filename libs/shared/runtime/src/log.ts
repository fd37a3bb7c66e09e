/**
 * Structured logs on standard error, one JSON object a line: `time`, `level`, `mode`, `name` (the process), `service`, and
 * `account`, `correlationId`, `orderId`, `signalId` where they are known, under these names everywhere. Secrets never enter a
 * log; the net below that rule is `secrets.ts`.
 */
import pino from 'pino'
import { withoutSecrets } from './secrets.ts'

export type Logger = pino.Logger

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export type LoggerOptions = {
  readonly name: string
  readonly mode?: string
  /** `JTS_LOG_LEVEL` stands above it. */
  readonly level?: string | undefined
}

/** @param write where the lines go, for tests. */
export function createLogger({ name, mode, level = 'info' }: LoggerOptions, write?: (line: string) => void): Logger {
  return pino(
    {
      name,
      level: levelOf(process.env['JTS_LOG_LEVEL']) ?? level,
      base: mode === undefined ? {} : { mode },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['apiKey', 'apiSecret', 'secret', 'signature', '*.apiKey', '*.apiSecret', '*.secret', '*.signature'],
        censor: '[secret]',
      },
      hooks: { streamWrite: withoutSecrets },
    },
    write === undefined ? pino.destination({ dest: 2, sync: true }) : { write },
  )
}

/** For tests and for tools that speak to a person themselves. */
export const silentLogger: Logger = pino({ level: 'silent' })

/** A level that does not exist would end the process, and a log is not worth that. */
function levelOf(text: string | undefined): LogLevel | undefined {
  return LOG_LEVELS.find((level) => level === text)
}
