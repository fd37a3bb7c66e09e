/**
 * What was read as a secret, so that it can be blotted out wherever it turns up: in a line of the log, in an error that quotes
 * an address, in what a library says. A net below the rule that secrets are not said, and no reason to say them.
 */

/** Shorter ones would blot out half of what is said; a real key is longer. */
const LENGTH_MIN = 8
const BLOT = '[secret]'

const known = new Set<string>()
let pattern: RegExp | undefined

/** Remembers a secret as it is, in JSON and in a URL; returns it. */
export function keepSecret<S extends string | undefined>(secret: S): S {
  if (secret === undefined || secret.length < LENGTH_MIN) return secret
  const inJson = jsonText(secret)
  // Twice: a line quotes a message, and the message quotes what somebody answered.
  for (const form of [secret, inJson, jsonText(inJson), encodeURIComponent(secret)]) known.add(form)
  const longestFirst = [...known].sort((a, b) => b.length - a.length)
  pattern = new RegExp(longestFirst.map((form) => form.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g')
  return secret
}

/** The secrets in an address: its password, its user where there is no password, and a path or query that opens the door. */
export function keepSecretsOf(address: string | undefined, options: { readonly wholePath?: boolean } = {}): void {
  if (address === undefined || !URL.canParse(address)) return
  const { username, password, pathname, search } = new URL(address)
  for (const part of [password, decoded(password)]) keepSecret(part)
  if (options.wholePath !== true) return
  for (const part of [username, pathname.slice(1), search.slice(1)]) keepSecret(part)
  for (const part of pathname.split('/')) keepSecret(part)
}

export function withoutSecrets(text: string): string {
  return pattern === undefined ? text : text.replace(pattern, BLOT)
}

function jsonText(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
