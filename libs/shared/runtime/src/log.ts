/** Structured logs on standard error, one JSON object a line; the mode is on every line. Secrets never enter a log. */
import pino from 'pino'

export type Logger = pino.Logger

export function createLogger(options: { name: string; mode?: string; level?: string }): Logger {
  return pino(
    {
      name: options.name,
      level: options.level ?? process.env['JTS_LOG_LEVEL'] ?? 'info',
      base: options.mode === undefined ? {} : { mode: options.mode },
      redact: {
        paths: ['apiKey', 'apiSecret', 'secret', 'signature', '*.apiSecret', '*.signature'],
        censor: '[secret]',
      },
    },
    pino.destination({ dest: 2, sync: true }),
  )
}

/** For tests and for tools that speak to a person themselves. */
export const silentLogger: Logger = pino({ level: 'silent' })
