/** That a process waits for whoever ends, one at a time, and is replaced. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { sleep } from '@jts/testkit'
import { Spare } from './spare.ts'

/** Says back what it is told. */
function spareOf(): { spare: Spare; made: ChildProcess[]; until(count: number): Promise<void> } {
  const made: ChildProcess[] = []
  const make = (): ChildProcess => {
    const child = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] })
    made.push(child)
    return child
  }
  const until = async (count: number): Promise<void> => {
    while (made.length < count) await sleep(1)
  }
  return { spare: new Spare(make, 1), made, until }
}

test('the spare becomes who it is told to be, and another one takes its place', async () => {
  const { spare, made, until } = spareOf()
  assert.equal(spare.take('risk-management'), undefined)
  spare.keep()
  await until(1)
  const taken = spare.take('risk-management')
  assert.equal(taken, made[0])
  assert.equal(String((await once(taken!.stdout!, 'data'))[0]), 'risk-management\n')
  await until(2)
  spare.stop()
  await once(made[1]!, 'exit')
  taken!.stdin!.end()
  await once(taken!, 'exit')
  assert.equal(made.length, 2)
})

test('a spare that ends is replaced, and its end is nobody else’s', async () => {
  const { spare, made, until } = spareOf()
  spare.keep()
  await until(1)
  made[0]!.kill('SIGKILL')
  await until(2)
  assert.equal(spare.take('risk-management'), made[1])
  made[1]!.kill('SIGKILL')
  spare.stop()
})
