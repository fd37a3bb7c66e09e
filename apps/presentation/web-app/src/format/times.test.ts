import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { kstDateTime, kstShort } from './times.ts'

describe('times in KST', () => {
  const eveningUs = Date.UTC(2025, 2, 13, 23, 59, 58) * 1000

  it('shows the Korean morning of a UTC evening', () => {
    assert.equal(kstDateTime(eveningUs), '2025-03-14 08:59:58')
  })
  it('leaves out the date on the same Korean day', () => {
    assert.equal(kstShort(eveningUs, Date.UTC(2025, 2, 14, 14, 0) * 1000), '08:59:58')
  })
  it('shows month and day on another Korean day', () => {
    assert.equal(kstShort(eveningUs, Date.UTC(2025, 2, 14, 15, 0) * 1000), '03-14 08:59:58')
  })
})
