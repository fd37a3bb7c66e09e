/**
 * No part of Binance's protocol: puts money into an account of this venue or takes it out, as a deposit or a withdrawal does. On
 * the venue's own port, for whoever has the conductor's token or the secret of an account.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isRefused } from '@jts/exchange'
import { formatUnits, parseUnits, type Units } from '@jts/model/numbers'
import type { Venue } from './venue.ts'

export const BALANCES_PATH = '/jts/balances'

type Asked = {
  readonly account: number
  readonly asset: string
  readonly amount: Units
  /** False: nobody is told, as when it happens while no stream is up. */
  readonly notice: boolean
}

export function answerBalances(venue: Venue, request: FastifyRequest, reply: FastifyReply): void {
  const end = venue.activity.begin()
  try {
    if (!isAllowed(venue, request.headers.authorization)) {
      return refuse(reply, 401, "expected Authorization: Bearer with the venue's token, found another or none")
    }
    const asked = read(venue, Buffer.isBuffer(request.body) ? request.body.toString() : '')
    if (typeof asked === 'string') return refuse(reply, 400, asked)
    const { account, asset, amount, notice } = asked
    const timeUs = (venue.exchange.timeUs = venue.clock.nowUs())
    const balance = venue.exchange.adjust(account, asset, amount)
    if (isRefused(balance)) {
      const free = venue.exchange.balances(account).find((one) => one.asset === asset)?.free ?? 0n
      return refuse(
        reply,
        409,
        `amount: expected no more than the ${formatUnits(free)} that are free, found ${formatUnits(amount)}`,
      )
    }
    // What else this turn holds is on disk with it, and told as always.
    venue.userStream.send(venue.exchange.commit())
    if (notice) venue.userStream.adjusted(account, balance, amount, timeUs)
    const { free, locked } = balance
    reply.send({ asset, free: formatUnits(free), locked: formatUnits(locked) })
  } finally {
    end()
  }
}

function refuse(reply: FastifyReply, status: number, error: string): void {
  reply.code(status).send({ error })
}

function isAllowed(venue: Venue, header: string | undefined): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  const given = digest(header ?? '')
  const tokens = [venue.controlToken, ...venue.accounts.map(({ apiSecret }) => apiSecret)]
  return tokens.some((token) => timingSafeEqual(digest(`Bearer ${token}`), given))
}

/** What is asked, or what is wrong with it. */
function read(venue: Venue, text: string): Asked | string {
  let body: Record<string, unknown>
  try {
    body = JSON.parse(text) as Record<string, unknown>
  } catch {
    return 'expected a JSON body such as {"asset":"USDT","amount":"100"}, found none'
  }
  const names = venue.accounts.map(({ name }) => name)
  const { account = names[0], asset, amount, notice = true } = body ?? {}
  if (!names.includes(account as string)) return expected('account', `one of ${names.join(', ')}`, account)
  if (typeof asset !== 'string' || !/^[A-Z0-9]{1,16}$/.test(asset)) return expected('asset', 'one such as USDT', asset)
  if (typeof amount !== 'string' || !/^-?\d{1,15}(\.\d{1,8})?$/.test(amount) || parseUnits(amount) === 0n) {
    return expected('amount', 'decimal text other than 0, negative to take out', amount)
  }
  if (typeof notice !== 'boolean') return expected('notice', 'true or false', notice)
  return { account: names.indexOf(account as string), asset, amount: parseUnits(amount), notice }
}

function expected(field: string, what: string, found: unknown): string {
  return `${field}: expected ${what}, found ${JSON.stringify(found) ?? 'nothing'}`
}
