/** Times on the screen are Korean Standard Time, whatever the machine's zone. Korea has no summer time: UTC + 9 h. */
export const KST_OFFSET_SECONDS = 9 * 3600

function kstText(timeUs: number): string {
  return new Date(timeUs / 1000 + KST_OFFSET_SECONDS * 1000).toISOString()
}

/** `2025-03-14` */
export function kstDate(timeUs: number): string {
  return kstText(timeUs).slice(0, 10)
}

/** `14:03:22` */
export function kstTime(timeUs: number): string {
  return kstText(timeUs).slice(11, 19)
}

/** `2025-03-14 14:03:22` */
export function kstDateTime(timeUs: number): string {
  return `${kstDate(timeUs)} ${kstTime(timeUs)}`
}

/** The time alone on the same day as `nowUs`, else with month and day: `03-13 14:03:22`. */
export function kstShort(timeUs: number, nowUs: number): string {
  return kstDate(timeUs) === kstDate(nowUs) ? kstTime(timeUs) : `${kstDate(timeUs).slice(5)} ${kstTime(timeUs)}`
}
