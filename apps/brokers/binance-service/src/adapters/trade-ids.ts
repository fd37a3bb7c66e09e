/** Binance numbers the trades of each symbol, without a gap. */
import { BrokerError } from '@jts/broker-kit'

/** Within a LONG, as the venue calls it. */
const TRADE_ID = /^\d{1,18}$/

/**
 * The id of the next trade; a list that begins there goes on behind the one named.
 * @throws BrokerError when it is no id of a trade. It may be a caller's word, so it is not the venue that has failed.
 */
export function tradeIdAfter(tradeId: string): bigint {
  if (!TRADE_ID.test(tradeId)) {
    throw new BrokerError('INVALID', `expected the id of a trade, a whole number, found ${JSON.stringify(tradeId)}`)
  }
  return BigInt(tradeId) + 1n
}
