/** Authorities and certificates for a test, made by openssl in a folder of its own. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

export class Certificates {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  file(name: string): string {
    return join(this.#folder, name)
  }

  authority(name: string): void {
    const out = ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`, '-days', '2']
    this.#openssl('req', '-x509', ...NEW_KEY, ...out)
  }

  /** @param days a certificate of -1 days has expired. */
  certificate(name: string, issuer: string, days = 2, names = 'IP:127.0.0.1,DNS:localhost'): void {
    this.#openssl('req', ...NEW_KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    writeFileSync(this.file(`${name}.ext`), `subjectAltName=${names}`)
    const from = ['-in', `${name}.csr`, '-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-CAcreateserial']
    this.#openssl('x509', '-req', ...from, '-out', `${name}.pem`, '-days', String(days), '-extfile', `${name}.ext`)
  }

  files(name: string, ca = 'ca'): { readonly ca: string; readonly cert: string; readonly key: string } {
    return { ca: this.file(`${ca}.pem`), cert: this.file(`${name}.pem`), key: this.file(`${name}.key`) }
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#folder, stdio: ['ignore', 'ignore', 'pipe'] })
  }
}
