/** A machine that stands still is no strategy that loops. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'

/** Stands still in the middle of its work for longer than it may take, then goes on. */
const CODE = `
  import { TimeLimit } from '${import.meta.resolve('./time-limit.ts')}'
  let isDone = false
  const cameBack = new TimeLimit(100).run(() => {
    process.kill(process.pid, 'SIGSTOP')
    isDone = true
  })
  console.log(cameBack === isDone)`

test('work that came back has come back, though the machine stood still in the middle of it', async () => {
  // Who is first when it goes on, the work or its watchdog, is chance.
  for (let times = 0; times < 5; times++) {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', CODE], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const ended = once(child, 'close')
    for (let isOver = false; !isOver;) {
      isOver = await Promise.race([ended.then(() => true), setTimeout(300, false)])
      child.kill('SIGCONT')
    }
    assert.equal(said, 'true\n')
  }
})
