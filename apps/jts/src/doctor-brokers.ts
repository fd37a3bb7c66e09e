/** What the brokers of a configuration need, for `doctor.ts`: keys, a way to each that has an account, a clock, and Python. */
import { PRODUCTION, TESTNET } from '@jts/binance-service'
import { findPython, PYTHON_OLDEST } from '@jts/servers/python'
import { z } from 'zod'
import { givenAddress } from './brokers/open-creon.ts'
import { accountsAt, type JtsConfig } from './config.ts'
import { calendarEnds } from './krx-config.ts'
import type { Finding } from './doctor.ts'
import { keysFromEnvironment } from './venue.ts'

/** Binance refuses what is stamped more than a second ahead of its clock. */
const SKEW_MAX_MS = 1000

/** @param isExample there is no configuration: the examples, of which those in Korean shares need Python */
export async function brokers(config: JtsConfig, isExample: boolean, answerMs: number): Promise<Finding[]> {
  return [
    keys(config),
    ...(await binance(config, answerMs)),
    ...(await creon(config, isExample, answerMs)),
    ...krxCalendar(config, Date.now()),
  ]
}

/** Simulated shares are traded at any time. */
export function krxCalendar(config: JtsConfig, nowMs: number): Finding[] {
  if (config.mode === 'sim' || accountsAt('creon', config).length === 0) return []
  const about = 'holidays of the KRX'
  const found = calendarEnds(config.krx, nowMs)
  if (found === undefined) return [{ about, state: 'ok', found: 'known for the next weeks' }]
  const mend =
    'add next year’s, as the KRX has announced them: krx: { holidays, knownTo } in jts.yaml (docs/guides/creon.md)'
  return [{ about, state: 'mend', found, mend }]
}

function keys(config: JtsConfig): Finding {
  const about = "the brokers' keys"
  if (config.mode === 'sim') return { about, state: 'ok', found: 'mode sim needs none' }
  try {
    const accounts = keysFromEnvironment(config)
    return { about, state: 'ok', found: `there for ${accounts.map(({ account }) => account).join(', ')}` }
  } catch (error) {
    return {
      about,
      state: 'mend',
      found: (error as Error).message,
      mend: 'set them where JTS is started; never in a file',
    }
  }
}

/** In sim nobody outside is asked. */
async function binance(config: JtsConfig, answerMs: number): Promise<Finding[]> {
  if (config.mode === 'sim' || accountsAt('binance', config).length === 0) return []
  const about = 'Binance, and the clock'
  const { rest } = config.mode === 'live' ? PRODUCTION : TESTNET
  const sentMs = Date.now()
  try {
    const response = await fetch(new URL('/api/v3/time', rest), { signal: AbortSignal.timeout(answerMs) })
    const { serverTime } = (await response.json()) as { serverTime: number }
    return [clockSkew(rest, serverTime - (sentMs + Date.now()) / 2)]
  } catch (error) {
    const mend = 'check the network, and whether this country and address may reach Binance'
    return [{ about, state: 'mend', found: `${rest} does not answer: ${(error as Error).message}`, mend }]
  }
}

export function clockSkew(broker: string, skewMs: number): Finding {
  const about = 'Binance, and the clock'
  const found = `${broker} answers; this clock is ${Math.abs(Math.round(skewMs))} ms ${skewMs > 0 ? 'behind' : 'ahead'}`
  if (Math.abs(skewMs) <= SKEW_MAX_MS) return { about, state: 'ok', found }
  return { about, state: 'mend', found, mend: 'let the system keep the time: timedatectl set-ntp true' }
}

/** What `openCreon` would find. */
async function creon(config: JtsConfig, isExample: boolean, answerMs: number): Promise<Finding[]> {
  const about = "Creon's service"
  if (isExample) return [simulatedCreon('note')]
  if (accountsAt('creon', config).length === 0) return []
  if (config.mode === 'paper') {
    const mend = 'use mode sim or live for it'
    return [{ about, state: 'mend', found: 'an account at Creon in mode paper, which Creon does not have', mend }]
  }
  try {
    const given = givenAddress(config)
    if (given !== undefined) return [await reached(`http://${given.host}:${given.port}`, answerMs)]
  } catch (error) {
    return [{ about, state: 'mend', found: (error as Error).message, mend: 'set it to the port, or unset it' }]
  }
  if (config.mode === 'sim') return [simulatedCreon('mend')]
  const mend = 'say where the Windows machine is: creon: { host } in jts.yaml, or CREON_API_HOST'
  return [{ about, state: 'mend', found: 'no address of it', mend }]
}

const liveness = z.object({ status: z.enum(['up', 'down']) })

async function reached(address: string, answerMs: number): Promise<Finding> {
  const about = "Creon's service"
  const mend = `scripts/check-connectivity ${address} tells what is wrong, of keys, clocks and the login, too`
  try {
    const response = await fetch(`${address}/health`, { signal: AbortSignal.timeout(answerMs) })
    const { status } = liveness.parse(await response.json())
    if (status === 'up') return { about, state: 'ok', found: `${address} answers` }
    return { about, state: 'note', found: `${address} answers, and says that it is down`, mend }
  } catch (error) {
    const { name, cause } = error as Error
    const reason =
      cause instanceof Error
        ? cause.message || String((cause as NodeJS.ErrnoException).code)
        : name === 'TimeoutError'
          ? 'no answer'
          : 'not as one of ours'
    return { about, state: 'mend', found: `${address} is not reached: ${reason}`, mend }
  }
}

/** Its libraries are installed when it first starts. */
function simulatedCreon(missing: 'note' | 'mend'): Finding {
  const about = 'Python (KRX in sim)'
  const python = findPython()
  if (python !== undefined) return { about, state: 'ok', found: python.version }
  const found = `none of ${PYTHON_OLDEST.join('.')} or newer that makes environments: KRX is not traded`
  return { about, state: missing, found, mend: 'apt-get install python3 python3-venv' }
}
