/** That a process which runs on is given no room for rubbish. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { STEADY_MEMORY } from './steady-memory.ts'

const ROOT = join(import.meta.dirname, '../../..')

/** Largest room for new objects, in MB, of a process that makes many and keeps some of them for a while. */
function roomForNew(flags: readonly string[]): number {
  const script = `
    const { getHeapSpaceStatistics } = require('node:v8')
    let most = 0
    for (let round = 0, kept = []; round < 100; round++) {
      for (let i = 0; i < 20000; i++) kept.push({ i, text: 'n' + i })
      if (round % 3 === 2) kept = []
      const { space_size } = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
      most = Math.max(most, space_size)
    }
    console.log(most / 2 ** 20)`
  return Number(execFileSync(process.execPath, [...flags, '-e', script], { encoding: 'utf8' }))
}

// Two halves of 8 MB, and at times some more: each thread that collects holds pages of its own for a moment (up to 4 MB in 300 runs).
// Without the bound it is 64 MB in every run.
test('the room for new objects is less than half of what V8 would take', () => {
  const bounded = roomForNew(STEADY_MEMORY)
  const unbounded = roomForNew([])
  assert.ok(bounded < unbounded / 2, `${bounded} MB of ${unbounded} MB`)
})

test('everything that starts what runs on gives it the same bound', () => {
  for (const file of ['jts', 'infra/docker/Dockerfile']) {
    for (const flag of STEADY_MEMORY)
      assert.ok(readFileSync(join(ROOT, file), 'utf8').includes(flag), `${file}: ${flag}`)
  }
})
