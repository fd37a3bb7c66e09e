/** What is done about orders in an account that JTS has not made. */
import type { OrderReport } from '@jts/broker-kit'

export const FOREIGN_ORDERS = ['alert', 'ignore', 'adopt', 'block'] as const
/**
 * `alert`: the operator is told, and trading goes on. `ignore`: nothing is told. `adopt`: told, and a halt cancels them like our
 * own. `block`: told, and the account only reduces until a person resumes. Their fills are booked as `external` in each case.
 */
export type ForeignOrders = (typeof FOREIGN_ORDERS)[number]

export function isOpenAtVenue({ status }: Pick<OrderReport, 'status'>): boolean {
  return status === 'accepted' || status === 'partially_filled'
}
