/** The keys of a broker service, parsed once at the door. Secrets stay in here: nothing prints a key. */
import { readFileSync, statSync } from 'node:fs'
import { KEY_ID, SECRET_LENGTH_MIN, type Right } from '@jts/contracts/broker-api'
import { BrokerError } from '../port.ts'

export type ApiKey = {
  readonly id: string
  readonly secret: string
  readonly right: Right
  /** Undefined: all accounts of the service. */
  readonly accounts: readonly string[] | undefined
}

const fault = (where: string, message: string): BrokerError => new BrokerError('CONFIG', `${where}: ${message}`)

/** @throws BrokerError that says what was expected and found, never a secret. */
export function readKeysFile(file: string): readonly ApiKey[] {
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
    throw fault(file, 'expected a file that only its owner may read (chmod 600), found one that others may')
  }
  let content: unknown
  try {
    content = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    // The parser's own words quote the text, and so perhaps a secret.
    throw fault(file, 'expected JSON, found something else')
  }
  return parseKeys(content, file)
}

export function parseKeys(content: unknown, where = 'keys'): readonly ApiKey[] {
  const list = (content as { keys?: unknown } | null)?.keys
  if (!Array.isArray(list) || list.length === 0) throw fault(where, 'expected {"keys":[…]} with at least one key')
  const keys = list.map((one, index) => parseKey(one, `${where}: keys[${index}]`))
  const ids = keys.map(({ id }) => id)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) throw fault(where, `expected each id once, found ${twice} twice`)
  return keys
}

function parseKey(value: unknown, where: string): ApiKey {
  const { id, secret, right, accounts } = (value ?? {}) as Record<string, unknown>
  if (typeof id !== 'string' || !KEY_ID.test(id)) throw fault(where, 'expected id of 1 to 64 letters, digits, . _ -')
  if (typeof secret !== 'string' || Buffer.byteLength(secret) < SECRET_LENGTH_MIN) {
    throw fault(where, `expected a secret of at least ${SECRET_LENGTH_MIN} bytes`)
  }
  if (right !== 'read' && right !== 'trade') throw fault(where, 'expected right to be read or trade')
  const isList = Array.isArray(accounts) && accounts.every((one) => typeof one === 'string')
  if (accounts !== undefined && !isList) throw fault(where, 'expected accounts to be a list of names')
  return { id, secret, right, accounts: accounts as string[] | undefined }
}
