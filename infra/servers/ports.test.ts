import assert from 'node:assert/strict'
import { test } from 'node:test'

import { freePort } from './ports.ts'

test('a port that was given is not given again, though nobody listens on it yet', async () => {
  // Of 12,768 ports, 500 drawn at random would meet about ten times.
  const ports = new Set<number>()
  for (let drawn = 0; drawn < 500; drawn++) ports.add(await freePort())
  assert.equal(ports.size, 500)
})
