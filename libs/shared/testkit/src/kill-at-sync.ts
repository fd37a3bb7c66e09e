/**
 * Preloaded into a process under test (`--import`): kills it, as `kill -9` would, right before or right after its n-th synced
 * commit. That is exactly between «on disk» and «on the wire», where a random kill seldom lands.
 *
 * JTS_KILL_AT_SYNC=before:12 or after:12
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const wanted = process.env['JTS_KILL_AT_SYNC']
// The venue is started by the process under test and inherits its environment: only the trader is killed.
if (wanted !== undefined && process.argv[2] === 'up') {
  const [when, number] = wanted.split(':')
  const real = fs.fdatasyncSync
  let count = 0
  fs.fdatasyncSync = (file) => {
    count++
    if (count === Number(number) && when === 'before') process.kill(process.pid, 'SIGKILL')
    real(file)
    if (count === Number(number) && when === 'after') process.kill(process.pid, 'SIGKILL')
  }
  syncBuiltinESMExports()
}
