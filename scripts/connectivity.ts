/**
 * What the answers of a broker service mean to the person who set it up: is it reached, does it know our key, do the clocks
 * agree, is its login there, what of its limits is left. Decisions only; `check-connectivity.ts` asks.
 */
import { CLOCK_WINDOW_US, Health, Liveness, Problem } from '@jts/contracts/broker-api'
import type { TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'

export type Finding = {
  readonly about: string
  /** `note`: it works, and is worth knowing. */
  readonly state: 'ok' | 'note' | 'mend'
  readonly found: string
  readonly mend?: string
}

export type Answer =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly body: unknown
      readonly sentUs: number
      readonly receivedUs: number
    }
  /** `code` as Node.js names it; TIMEOUT when it took too long, NAME_TIMEOUT when the name's address was still being asked for. */
  | { readonly kind: 'failure'; readonly code: string; readonly message: string }

/** A difference that is far inside the window and still worth mending before it grows. */
const SKEW_NOTED_US = 2_000_000
/** A share of a limit below which a busy hour may use it up. */
const SCARCE = 0.1

const NAME_MEND = "give the machine's address instead of its name, or add the name to /etc/hosts"

const REACH = 'reachable'
const KEY = 'key and signature'
const CLOCK = 'clocks'
const LOGIN = 'login at the broker'
const LIMITS = 'limits left'
const SERVICE = 'the service'

/** Of `GET /health`, which anyone may ask. What is said here makes further questions pointless when it is to be mended. */
export function judgeReach(address: string, answer: Answer): Finding {
  if (answer.kind === 'failure') return { about: REACH, state: 'mend', ...unreached(address, answer) }
  const { body } = answer
  if (!Value.Check(Liveness, body)) {
    return {
      about: REACH,
      state: 'mend',
      found: `${address} answers ${answer.status}, and not as a broker service of JTS does`,
      mend: 'something else listens there: check host and port, and what proxies lie between',
    }
  }
  if (body.status === 'down')
    return { about: REACH, state: 'note', found: `${address} answers, and says that it is down` }
  return { about: REACH, state: 'ok', found: `${address} answers` }
}

function unreached(address: string, { code, message }: Answer & { kind: 'failure' }): Pick<Finding, 'found' | 'mend'> {
  const { hostname: host, port } = new URL(address)
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return {
        found: `the name ${host} is not known here (${code})`,
        mend: NAME_MEND,
      }
    case 'NAME_TIMEOUT':
      return { found: `nobody says in time which address the name ${host} has`, mend: NAME_MEND }
    case 'ECONNREFUSED':
      return {
        found: `${host} is there, but nothing listens on port ${port}`,
        mend: 'start the service on that machine (on Windows: the scheduled task of creon-service), and check its port',
      }
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return {
        found: `there is no way from here to ${host} (${code})`,
        mend: 'is the machine switched on, and in the same network?',
      }
    case 'TIMEOUT':
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return {
        found: `${host} did not answer on port ${port} in time`,
        mend: `the machine is off, its firewall drops the port (Windows: allow TCP ${port} from this machine alone), or the service hangs: restart it`,
      }
    case 'ECONNRESET':
    case 'UND_ERR_SOCKET':
      return {
        found: `${address} took the connection and dropped it`,
        mend: 'the service ended while it answered, or a proxy lies between: see its log',
      }
    default:
      return { found: `${address} cannot be asked: ${message} (${code})`, mend: 'check host and port' }
  }
}

/** Of the signed `GET /api/v1/health`. */
export function judgeHealth(answer: Answer, nowUs: number): Finding[] {
  if (answer.kind === 'failure') {
    return [
      {
        about: SERVICE,
        state: 'mend',
        found: `it says that it lives, but does not answer the signed question: ${answer.message} (${answer.code})`,
        mend: 'it hangs: see its log, restart it',
      },
    ]
  }
  const health = dataOf(Health, answer.body)
  if (health === undefined) return [refusal(answer)]
  const middleUs = (answer.sentUs + answer.receivedUs) / 2
  // It looked at its clock at some time between the two.
  const doubtUs = (answer.receivedUs - answer.sentUs) / 2
  return [
    { about: KEY, state: 'ok', found: 'the service accepts them' },
    clocks(health.timeUs - middleUs, doubtUs),
    login(health.session),
    ...limits(health.limits, nowUs),
    ...service(health),
  ]
}

function refusal({ status, body, sentUs, receivedUs }: Answer & { kind: 'answer' }): Finding {
  if (!Value.Check(Problem, body)) {
    return {
      about: SERVICE,
      state: 'mend',
      found: `it answers ${status} to a signed question, and not as the contract says`,
      mend: 'the two sides are of different versions: bring both to the same one',
    }
  }
  switch (body.code) {
    case 'CLOCK_SKEW':
      return clocks(body.serverTimeUs === undefined ? Number.NaN : body.serverTimeUs - (sentUs + receivedUs) / 2)
    case 'AUTHENTICATION_FAILED':
    case 'AUTHENTICATION_MISSING':
      return {
        about: KEY,
        state: 'mend',
        found: `refused: ${body.detail}`,
        mend: 'the key and the secret must be the same, letter for letter, on both machines; restart the service after a change',
      }
    case 'NONCE_REUSED':
      return {
        about: KEY,
        state: 'mend',
        found: 'the service has seen this very request before',
        mend: 'something between repeats requests (a proxy that retries): connect directly',
      }
    case 'FORBIDDEN':
      return {
        about: KEY,
        state: 'mend',
        found: `refused: ${body.detail}`,
        mend: 'give this key the right to read, in the configuration of the service',
      }
    default:
      return { about: SERVICE, state: 'mend', found: `it answers ${body.code}: ${body.detail}`, mend: 'see its log' }
  }
}

function clocks(skewUs: number, doubtUs = 0): Finding {
  const mend =
    'let both machines keep the time (Windows: w32tm /resync as administrator; Linux: timedatectl set-ntp true)'
  if (Number.isNaN(skewUs)) return { about: CLOCK, state: 'mend', found: 'the service refuses our time', mend }
  const found = `the service's clock is ${seconds(Math.abs(skewUs))} ${skewUs < 0 ? 'behind' : 'ahead of'} this one`
  const certainUs = Math.abs(skewUs) - doubtUs
  if (certainUs >= CLOCK_WINDOW_US) {
    return {
      about: CLOCK,
      state: 'mend',
      found: `${found}: it refuses what differs by ${seconds(CLOCK_WINDOW_US)}`,
      mend,
    }
  }
  return certainUs < SKEW_NOTED_US ? { about: CLOCK, state: 'ok', found } : { about: CLOCK, state: 'note', found, mend }
}

function login({ state, reason }: Health['session']): Finding {
  const why = reason === undefined ? '' : `: ${reason}`
  switch (state) {
    case 'not_needed':
      return { about: LOGIN, state: 'ok', found: 'this broker needs none' }
    case 'connected':
      return { about: LOGIN, state: 'ok', found: 'logged in' }
    case 'connecting':
      return { about: LOGIN, state: 'note', found: `logging in${why}`, mend: 'ask again in a minute' }
    case 'logged_out':
      return {
        about: LOGIN,
        state: 'mend',
        found: `logged out${why}`,
        mend: 'log in on the desktop of the Windows machine: CREON PLUS, as administrator, with the certificate',
      }
    case 'blocked':
      return {
        about: LOGIN,
        state: 'mend',
        found: `a window waits for a person${why}`,
        mend: 'look at the desktop of the Windows machine and answer it; in CREON Plus, switch order confirmation off',
      }
  }
}

function limits(left: Health['limits'], nowUs: number): Finding[] {
  if (left.length === 0) return [{ about: LIMITS, state: 'note', found: 'the service tells of none' }]
  return left.map(({ name, counts, limit, remaining, windowUs, resetsAtUs }): Finding => {
    const again = resetsAtUs === undefined ? '' : `; full again in ${seconds(Math.max(0, resetsAtUs - nowUs))}`
    const window = windowUs === 0 ? 'at one time' : `in ${seconds(windowUs)}`
    const found = `${name}: ${remaining} of ${limit} ${counts} ${window}`
    if (remaining > limit * SCARCE) return { about: LIMITS, state: 'ok', found }
    return {
      about: LIMITS,
      state: 'note',
      found: `${found}${again}`,
      mend: 'another program may use the same account: its requests count too',
    }
  })
}

function service({ status, reasons, breaker, accounts }: Health): Finding[] {
  const findings: Finding[] = reasons.map(({ code, message }) => ({
    about: SERVICE,
    state: status === 'down' ? 'mend' : 'note',
    found: `${code}: ${message}`,
  }))
  if (breaker.state !== 'closed') {
    const why = breaker.reason === undefined ? '' : `: ${breaker.reason}`
    findings.push({ about: SERVICE, state: 'note', found: `its breaker towards the broker is ${breaker.state}${why}` })
  }
  if (accounts.length === 0) {
    const mend = 'name an account in its configuration'
    findings.push({ about: SERVICE, state: 'note', found: 'it holds no account: market data only', mend })
  }
  if (findings.length === 0) findings.push({ about: SERVICE, state: 'ok', found: `up, ${accounts.length} account(s)` })
  return findings
}

function dataOf<S extends TSchema>(schema: S, body: unknown): (S & { params: [] })['static'] | undefined {
  const data = (body as { data?: unknown } | null | undefined)?.data
  return Value.Check(schema, data) ? data : undefined
}

function seconds(us: number): string {
  return us < 1_000_000 ? `${Math.round(us / 1000)} ms` : `${(us / 1e6).toFixed(us % 1_000_000 === 0 ? 0 : 1)} s`
}
