/** What tells a process that hangs from one that is slow. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { sleep } from '@jts/testkit'
import { doesAnswer, isDeadOrStopped } from './does-answer.ts'

const never = new Promise<never>(() => undefined)
/** Questions are told apart by their number: no test waits for a clock. */
const FAST = { misses: 4, missMs: 1, isGone: () => false }

test('a slow process answers: the first question late, when others have been asked after it', async () => {
  let asked = 0
  let answerFirst: () => void = () => undefined
  const ask = (): Promise<void> => {
    if (++asked === 3) answerFirst()
    return asked === 1 ? new Promise((resolve) => (answerFirst = resolve)) : never
  }
  assert.equal(await doesAnswer({ ...FAST, ask }), true)
  assert.equal(asked, 3)
})

test('a process hangs when it is silent again and again', async () => {
  let asked = 0
  const silences: number[] = []
  const ask = (): Promise<never> => (asked++, never)
  assert.equal(await doesAnswer({ ...FAST, ask, onSilence: (misses) => silences.push(misses) }), false)
  assert.deepEqual([asked, silences], [4, [1, 2, 3]])
})

test('one that refuses the first questions, because it is starting, is waited for', async () => {
  let asked = 0
  const ask = (): Promise<void> => (++asked < 3 ? Promise.reject(new Error('refused')) : Promise.resolve())
  assert.equal(await doesAnswer({ ...FAST, ask }), true)
})

test('one that is gone is not waited for', async () => {
  let asked = 0
  const ask = (): Promise<never> => (asked++, never)
  assert.equal(await doesAnswer({ ...FAST, missMs: 1, isGone: () => asked > 0, ask }), false)
  assert.equal(asked, 1)
})

test('the system tells a process that runs from one that stands still or is dead', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  await once(child, 'spawn')
  const { pid } = child
  assert.equal(isDeadOrStopped(pid!), false)
  child.kill('SIGSTOP')
  while (!isDeadOrStopped(pid!)) await sleep(5)
  child.kill('SIGCONT')
  while (isDeadOrStopped(pid!)) await sleep(5)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(isDeadOrStopped(pid!), true)
})
