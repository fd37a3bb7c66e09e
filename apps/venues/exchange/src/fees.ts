/** The fee of a fill: a share of what is received, in the received asset, rounded down to 1e-8. */
import { ONE, type Units } from '@jts/model/numbers'

export function feeOf(received: Units, rate: Units): Units {
  return (received * rate) / ONE
}
