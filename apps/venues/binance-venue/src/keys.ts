/** Accounts and their keys. Made at the first start and kept in the data directory, readable by their owner only. */
import { randomBytes, randomInt } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeyPair } from './config.ts'

export type AccountKeys = { readonly name: string; readonly apiKey: string; readonly apiSecret: string }
export type Keys = { readonly accounts: readonly AccountKeys[]; readonly controlToken: string; readonly port: number }

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

export function randomKey(): string {
  return Array.from({ length: 64 }, () => LETTERS[randomInt(LETTERS.length)]).join('')
}

/** `given`: keys that are not to be made here. @throws Error when the directory belongs to other accounts. */
export function loadKeys(directory: string, names: readonly string[], given?: readonly KeyPair[]): Keys {
  const file = join(directory, 'keys.json')
  if (!existsSync(file)) {
    const made = (): KeyPair => ({ apiKey: randomKey(), apiSecret: randomKey() })
    const accounts = names.map((name, index) => ({ name, ...(given?.[index] ?? made()) }))
    const keys = { accounts, controlToken: randomBytes(24).toString('hex'), port: 0 }
    saveKeys(directory, keys)
    return keys
  }
  const keys = JSON.parse(readFileSync(file, 'utf8')) as Keys
  const found = keys.accounts.map(({ name }) => name).join(', ')
  if (found !== names.join(', '))
    throw new Error(`${directory} has the accounts ${found}, expected ${names.join(', ')}`)
  // A key that was changed outside is the new one here too.
  return given === undefined ? keys : { ...keys, accounts: names.map((name, index) => ({ name, ...given[index]! })) }
}

export function saveKeys(directory: string, keys: Keys): void {
  const file = join(directory, 'keys.json')
  writeFileSync(`${file}.new`, JSON.stringify(keys, null, 2), { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
