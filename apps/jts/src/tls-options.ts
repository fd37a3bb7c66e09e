/** Mutual TLS between processes, as options of the command line. */
import type { TlsFiles } from '@jts/transport/rpc/tls'
import { UserError } from './cli.ts'

export const TLS_OPTIONS = {
  'tls-ca': { type: 'text', value: 'FILE', help: 'PEM file of the authority whose certificates callers must show' },
  'tls-cert': { type: 'text', value: 'FILE', help: 'PEM file of the certificate that is shown to callers' },
  'tls-key': { type: 'text', value: 'FILE', help: 'PEM file of its key' },
} as const

/** All three, or none. @throws UserError */
export function tlsFiles(options: Partial<Record<keyof typeof TLS_OPTIONS, string | undefined>>): TlsFiles | undefined {
  const { 'tls-ca': ca, 'tls-cert': cert, 'tls-key': key } = options
  if (ca !== undefined && cert !== undefined && key !== undefined) return { ca, cert, key }
  if (ca === undefined && cert === undefined && key === undefined) return undefined
  throw new UserError('expected --tls-ca, --tls-cert and --tls-key together, found only some of them')
}
