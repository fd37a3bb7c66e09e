/** Mutual TLS from three files; without them a link stays on this machine. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js'

export type TlsFiles = {
  /** PEM file of the authority whose certificates the other end may show. */
  readonly ca: string
  /** PEM file of our own certificate, with what lies between it and the authority. */
  readonly cert: string
  readonly key: string
}

/** Said on purpose: whoever can reach the network may call. For containers that share a network of their own. */
export type PlainText = 'private-network'

type Tls = { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer }

/** A server shows its certificate, and answers only who shows one of the same authority. @throws Error */
export function serverCredentials(host: string, files: TlsFiles | undefined, plainText?: PlainText): ServerCredentials {
  if (files === undefined) {
    if (plainText !== 'private-network') requireLoopback(host, 'listen on')
    return ServerCredentials.createInsecure()
  }
  const { ca, cert, key } = readTls(files)
  return ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], true)
}

/** @throws Error */
export function clientCredentials(
  host: string,
  files: TlsFiles | undefined,
  plainText?: PlainText,
): ChannelCredentials {
  if (files === undefined) {
    if (plainText !== 'private-network') requireLoopback(host, 'call')
    return ChannelCredentials.createInsecure()
  }
  const { ca, cert, key } = readTls(files)
  return ChannelCredentials.createSsl(ca, key, cert)
}

/** Reads them once, so that what is wrong with them is said before anything is started. @throws Error */
export function checkTls(files: TlsFiles): void {
  readTls(files)
}

function requireLoopback(host: string, verb: string): void {
  if (host === 'localhost' || host === '::1' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)) return
  throw new Error(
    `will not ${verb} ${host} in plain text: expected a loopback address, or TLS (an authority, a certificate and its key)`,
  )
}

function readTls(files: TlsFiles): Tls {
  const ca = read('authority', files.ca)
  const cert = read('certificate', files.cert)
  const key = read('key', files.key)
  parse('authority', files.ca, () => new X509Certificate(ca))
  const certificate = parse('certificate', files.cert, () => new X509Certificate(cert))
  const privateKey = parse('key', files.key, () => createPrivateKey(key))
  const now = Date.now()
  if (now > Date.parse(certificate.validTo)) {
    throw new Error(`TLS certificate ${files.cert}: expired on ${certificate.validTo}`)
  }
  if (now < Date.parse(certificate.validFrom)) {
    throw new Error(`TLS certificate ${files.cert}: valid only from ${certificate.validFrom}`)
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error(`TLS key ${files.key}: expected the key of ${files.cert}, found another one`)
  }
  return { ca, cert, key }
}

function read(what: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new Error(`TLS ${what} ${file}: cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause })
  }
}

function parse<T>(what: string, file: string, parsed: () => T): T {
  try {
    return parsed()
  } catch (cause) {
    throw new Error(`TLS ${what} ${file}: expected PEM text, found something else`, { cause })
  }
}
