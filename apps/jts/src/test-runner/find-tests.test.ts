import { test } from 'node:test'
import assert from 'node:assert/strict'
import { suiteOf } from './find-tests.ts'

for (const [file, suite] of [
  ['libs/trading/model/src/numbers.test.ts', 'unit'],
  ['libs/shared/transport/src/bus.integration.test.ts', 'integration'],
  ['apps/jts/src/kill.system.test.ts', 'system'],
  ['apps/presentation/web-app/e2e/halt.test.ts', 'browser'],
  ['apps/presentation/web-app/e2e/parts/halt.test.ts', 'browser'],
  ['apps/jts/src/replay.recordings.ts', 'recordings'],
  ['infra/docker/one-box.containers.ts', 'containers'],
  ['apps/presentation/web-app/e2e/browser.ts', undefined],
  ['apps/jts/src/commands/test.ts', undefined],
] as const) {
  test(`${file} belongs to ${suite ?? 'no suite'}`, () => assert.equal(suiteOf(file), suite))
}
