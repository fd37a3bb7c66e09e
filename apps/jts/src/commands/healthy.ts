/** `./jts healthy`: whether a service of this machine answers; for whoever watches over it, such as a container's engine. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { RpcError } from '@jts/contracts'
import { RpcConnection } from '@jts/transport/rpc/grpc-client'
import { EXIT, parseCommand, UserError } from '../cli.ts'
import { TLS_OPTIONS, tlsFiles } from '../tls-options.ts'

const SPEC = {
  name: 'healthy',
  usage: './jts healthy --grpc-port N [--run FILE | --tls-ca FILE --tls-cert FILE --tls-key FILE]',
  summary:
    'Asks a service of this machine whether it works (grpc.health.v1). Exit code 1 when it does not, or does not answer.',
  options: {
    'grpc-port': { type: 'number', value: 'N', help: 'the port where it answers gRPC' },
    run: { type: 'text', value: 'FILE', help: 'the run that it belongs to: how its processes speak with each other' },
    ...TLS_OPTIONS,
    'timeout-ms': { type: 'number', value: 'N', help: 'how long it may take (5000)' },
  },
} as const

const TIMEOUT_MS = 5000

export async function healthyCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const { options } = parsed
  const { 'grpc-port': port, 'timeout-ms': timeoutMs = TIMEOUT_MS } = options
  if (port === undefined) throw new UserError('expected --grpc-port N, found none')
  const trouble = await troubleOf(port, options, timeoutMs)
  if (trouble === undefined) return EXIT.ok
  process.stderr.write(`not healthy: ${trouble}\n`)
  return EXIT.no
}

async function troubleOf(
  port: number,
  options: Parameters<typeof tlsFiles>[0] & { readonly run: string | undefined },
  deadlineMs: number,
): Promise<string | undefined> {
  const { readRunFile, tlsOf } = await import('../distributed/run-file.ts')
  const file = options.run === undefined ? undefined : resolve(options.run)
  if (file !== undefined && !existsSync(file)) return `it waits for ${file}`
  const tls = tlsFiles(options)
  const how = tls !== undefined ? { tls } : file === undefined ? {} : tlsOf(readRunFile(file))
  const connection = new RpcConnection({ address: `127.0.0.1:${port}`, ...how })
  try {
    const status = await connection.check('', { deadlineMs })
    return status === 'serving' ? undefined : `it says ${status}`
  } catch (error) {
    if (error instanceof RpcError) return error.message
    throw error
  } finally {
    connection.close()
  }
}
