/** `scripts/check-connectivity`: whether a broker service is reached, knows us, and can work; in plain words. Changes nothing. */
import { randomBytes } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { parseArgs } from 'node:util'
import { SIGNATURE_HEADERS, signatureOf } from '@jts/contracts/broker-api'
import { judgeHealth, judgeReach, type Answer, type Finding } from './connectivity.ts'

const USAGE = `usage: scripts/check-connectivity [URL] [--key-env NAME] [--secret-env NAME] [--timeout-ms N] [--json]

Asks a broker service of JTS (such as creon-service on its Windows machine) whether it is reached, knows our key, agrees about
the time, is logged in at its broker, and what of its limits is left.

URL            http://host:port; without it CREON_API_HOST and CREON_API_PORT (8001)
--key-env      the variable that holds the key (CREON_API_KEY)
--secret-env   the variable that holds its secret (CREON_API_SECRET); neither is ever shown
--timeout-ms   how long each question may take (5000)
--json         one JSON object on standard output

Exit code 0: nothing to mend; 1: something to mend, as said; 2: called wrongly.
`
const MARKS: Readonly<Record<Finding['state'], string>> = { ok: 'ok  ', note: 'note', mend: 'MEND' }
const PORT = '8001'

type Keys = { readonly id: string; readonly secret: string }

class UsageError extends Error {}

async function main(): Promise<number> {
  const { values, positionals } = readArguments()
  if (values.help) {
    process.stdout.write(USAGE)
    return 0
  }
  const base = addressOf(positionals)
  const timeoutMs = Number(values['timeout-ms'])
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1) {
    throw new UsageError(`--timeout-ms: expected a whole number above 0, found ${values['timeout-ms']}`)
  }
  const findings = await check(base, keysOf(values['key-env'], values['secret-env']), timeoutMs)
  const isWell = findings.every(({ state }) => state !== 'mend')
  process.stdout.write(values.json ? `${JSON.stringify({ ok: isWell, url: base, findings })}\n` : words(findings))
  return isWell ? 0 : 1
}

async function check(base: string, keys: Keys | string, timeoutMs: number): Promise<Finding[]> {
  const reach = judgeReach(base, await ask(base, '/health', undefined, timeoutMs))
  if (reach.state === 'mend') return [reach]
  if (typeof keys === 'string') {
    const mend = 'set them here as they are set on the machine of the service'
    return [reach, { about: 'key and signature', state: 'mend', found: keys, mend }]
  }
  const answer = await ask(base, '/api/v1/health', keys, timeoutMs)
  return [reach, ...judgeHealth(answer, nowUs())]
}

async function ask(base: string, target: string, keys: Keys | undefined, timeoutMs: number): Promise<Answer> {
  let isNameKnown = false
  lookup(new URL(base).hostname.replace(/^\[|\]$/g, '')).then(
    () => (isNameKnown = true),
    () => undefined,
  )
  const sentUs = nowUs()
  try {
    const response = await fetch(`${base}${target}`, {
      headers: keys === undefined ? {} : signed(target, keys, sentUs),
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    })
    const receivedUs = nowUs()
    const body: unknown = await response.json().catch(() => undefined)
    return { kind: 'answer', status: response.status, body, sentUs, receivedUs }
  } catch (error) {
    const { name, message, cause } = error as Error & { cause?: { code?: string; message?: string } }
    const late = isNameKnown ? 'TIMEOUT' : 'NAME_TIMEOUT'
    const code = name === 'TimeoutError' ? late : (cause?.code ?? name)
    return { kind: 'failure', code, message: cause?.message ?? message }
  }
}

function signed(target: string, { id, secret }: Keys, sentUs: number): Record<string, string> {
  const parts = { method: 'GET', target, body: '', timestampUs: String(sentUs), nonce: randomBytes(16).toString('hex') }
  return {
    [SIGNATURE_HEADERS.key]: id,
    [SIGNATURE_HEADERS.timestamp]: parts.timestampUs,
    [SIGNATURE_HEADERS.nonce]: parts.nonce,
    [SIGNATURE_HEADERS.signature]: signatureOf(parts, secret),
  }
}

function nowUs(): number {
  return Date.now() * 1000
}

function addressOf([given, ...others]: readonly string[]): string {
  if (others.length > 0) throw new UsageError(`expected one URL, found ${others.length + 1} arguments`)
  const host = process.env['CREON_API_HOST'] ?? ''
  if (given === undefined && host === '') throw new UsageError('expected a URL, or CREON_API_HOST; found neither')
  const text = given ?? `http://${host}:${process.env['CREON_API_PORT'] || PORT}`
  const url = URL.parse(text)
  const isPlain = url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === ''
  // Not shown as it was given: it may hold a password.
  if (!isPlain || url.username !== '') throw new UsageError('expected an address such as http://192.168.1.100:8001')
  return url.origin
}

/** The keys, or why there are none. */
function keysOf(keyVariable: string, secretVariable: string): Keys | string {
  const id = process.env[keyVariable]
  const secret = process.env[secretVariable]
  if (id && secret) return { id, secret }
  const missing = [...(id ? [] : [keyVariable]), ...(secret ? [] : [secretVariable])]
  return `expected ${keyVariable} and ${secretVariable} in the environment, found no ${missing.join(' and no ')}`
}

function words(findings: readonly Finding[]): string {
  return findings
    .map(({ state, about, found, mend }) => {
      const line = `${MARKS[state]}  ${about.padEnd(20)} ${found}\n`
      return mend === undefined ? line : `${line}${' '.repeat(27)}→ ${mend}\n`
    })
    .join('')
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        'key-env': { type: 'string', default: 'CREON_API_KEY' },
        'secret-env': { type: 'string', default: 'CREON_API_SECRET' },
        'timeout-ms': { type: 'string', default: '5000' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause })
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`check-connectivity: ${error.message}\n${USAGE}`)
  process.exitCode = 2
}
