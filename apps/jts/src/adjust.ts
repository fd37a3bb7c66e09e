/**
 * A person books what moved without a trade. The portfolio tracker says what the ledger has, order execution reads what the broker
 * has and books the whole difference or nothing: a second look, a second later, must find what the first one found.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { GatewayError, type AdjustmentView, type AdjustRequestView } from '@jts/api-gateway'
import type { AdjustBalanceResponse } from '@jts/contracts/orders-api'
import { refusedAs } from './refused-as.ts'
import type { System } from './system.ts'

const LOOK_AGAIN_MS = 1000
/** The ledger hears of what is booked a moment later; an account that trades on moves meanwhile. */
const LEDGER_AGAIN_MS = 100
const ATTEMPTS = 20

export type Adjusting = Pick<System, 'portfolio' | 'orders'>

/** @throws GatewayError with what was found, where nothing is booked */
export async function adjust(
  system: Adjusting,
  request: AdjustRequestView & { readonly by: string },
  pause: (ms: number) => Promise<void> = (ms) => sleep(ms),
): Promise<AdjustmentView> {
  const { account, asset, amount, ...said } = request
  let seen = ''
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { ledger, ...moment } = await ledgerOf(system, account, asset)
    const question = { ...said, account, currency: asset, amount, ledger, ...moment, seen }
    const answer = await refusedAs(system.orders.adjustBalance(question))
    switch (answer.outcome) {
      case 'booked':
      case 'already':
        return { account, asset, amount, outcome: answer.outcome, adjustmentId: answer.adjustmentId }
      case 'seen':
        seen = answer.difference
        await pause(LOOK_AGAIN_MS)
        break
      case 'moved':
        await pause(LEDGER_AGAIN_MS)
        break
      default:
        throw new GatewayError('REFUSED', otherAmount(request, ledger, answer))
    }
  }
  throw new GatewayError('REFUSED', `${account}: expected the account to hold still, found that it does not; ask again`)
}

/** What the ledger has of it, and by what order execution knows the moment. */
async function ledgerOf(system: Adjusting, account: string, asset: string) {
  const { accounts } = await refusedAs(system.portfolio.getCurrentPortfolio({ account }))
  const found = accounts[0]
  if (found === undefined) throw new GatewayError('NOT_FOUND', `account: expected one with a ledger, found ${account}`)
  const of = (list: readonly { currency: string; amount: string }[]): string =>
    list.find(({ currency }) => currency === asset)?.amount ?? '0'
  return { ledger: of(found.holdings), fillCount: found.fillCount, adjusted: of(found.adjusted) }
}

function otherAmount(
  { account, asset, amount }: AdjustRequestView,
  ledger: string,
  answer: AdjustBalanceResponse,
): string {
  const { venue, difference } = answer
  const figures = `ledger ${ledger}, broker ${venue}`
  const found = difference === '0' ? `that nothing differs (${figures})` : `one of ${difference} (${figures})`
  return `${account} ${asset}: expected a difference of ${amount}, found ${found}; nothing is booked`
}
