/** Fills as CSV text, in the order and form of the digest: hashing the rows gives `fillsSha256`. */
import { fillLine, sortedFills, type Fill } from '@jts/model'

export const FILLS_CSV_HEADER = 'timeMs,instrument,side,quantity,price,fee,feeCurrency'
const ROWS_PER_PIECE = 4096

/** Gives the text in pieces to whoever writes it; the library itself touches no file. */
export function writeFillsCsv(fills: readonly Fill[], write: (piece: string) => void): void {
  let piece = FILLS_CSV_HEADER + '\n'
  const ordered = sortedFills(fills)
  for (let i = 0; i < ordered.length; i++) {
    piece += fillLine(ordered[i]!) + '\n'
    if (i % ROWS_PER_PIECE === ROWS_PER_PIECE - 1) {
      write(piece)
      piece = ''
    }
  }
  if (piece !== '') write(piece)
}
