/** The whole of the published values. Run with `JTS_RECORDINGS=<folder of recordings> node --test <this file>`. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { compareWithGolden } from './golden.testkit.ts'

const folder = process.env.JTS_RECORDINGS

it('indicators equal the published values on all days', { skip: folder === undefined }, () => {
  const file = join(folder!, 'indicators-golden-daily-2017to2018.csv.gz')
  assert.equal(compareWithGolden(gunzipSync(readFileSync(file)).toString()), 502)
})
