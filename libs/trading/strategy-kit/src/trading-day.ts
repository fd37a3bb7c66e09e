/** Days as a Korean trader counts them. */
const HOUR_US = 3_600_000_000
const KST_AHEAD_HOURS = 9

/**
 * Number of the day in Korea that an instant belongs to; equal for all instants of a day. `startHour` is when a day begins:
 * 0 for KRX, 9 for Upbit and Binance, whose days are UTC's.
 */
export function kstDay(timeUs: number, startHour = 0): number {
  return Math.floor((timeUs + (KST_AHEAD_HOURS - startHour) * HOUR_US) / (24 * HOUR_US))
}
