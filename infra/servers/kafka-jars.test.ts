import { afterEach, beforeEach, test } from 'node:test'
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installKafka, kafkaInstalled } from './kafka-jars.ts'

/** A folder like infra/kafka, and a PATH with nothing but a Maven that brings one jar. */
let kafka: string
let bin: string
const path = process.env['PATH']

beforeEach(() => {
  kafka = mkdtempSync(join(tmpdir(), 'jts-kafka-jars-'))
  bin = join(kafka, 'bin')
  mkdirSync(bin)
  process.env['PATH'] = bin
  writeFileSync(join(kafka, 'pom.xml'), '<project/>')
  maven('a jar')
})

afterEach(() => {
  process.env['PATH'] = path
  rmSync(kafka, { recursive: true })
})

function maven(jar: string): void {
  const script = `#!/bin/sh
echo run >>'${kafka}/runs'
for each; do case $each in -DoutputDirectory=*) folder=\${each#*=} ;; esac; done
/bin/mkdir -p "$folder" && printf '${jar}' >"$folder/one.jar"
`
  writeFileSync(join(bin, 'mvn'), script, { mode: 0o755 })
}

const install = () => installKafka(() => undefined, kafka)
const runs = () => readFileSync(join(kafka, 'runs'), 'utf8').trim().split('\n').length
const jar = () => readFileSync(join(kafka, 'lib/one.jar'), 'utf8')

test('fetches once, and writes down the sums of what came when there are none', async () => {
  assert.equal(kafkaInstalled(kafka), false)
  await install()
  await install()
  assert.equal(runs(), 1)
  assert.equal(jar(), 'a jar')
  assert.match(readFileSync(join(kafka, 'jars.sha256'), 'utf8'), /^[0-9a-f]{64} {2}one\.jar\n$/)
  assert.deepEqual(
    readdirSync(kafka).filter((name) => name.startsWith('.lib')),
    [],
  )
})

test('fetches again when pom.xml has changed', async () => {
  await install()
  writeFileSync(join(kafka, 'pom.xml'), '<project>other</project>')
  assert.equal(kafkaInstalled(kafka), false)
  await install()
  assert.equal(kafkaInstalled(kafka), true)
  assert.equal(runs(), 2)
})

test('refuses jars other than those of the sums, and keeps the former ones', async () => {
  await install()
  writeFileSync(join(kafka, 'pom.xml'), '<project>other</project>')
  maven('another jar')
  await assert.rejects(
    install(),
    /expected the jars of .*jars\.sha256; Maven brought other ones:\n[0-9a-f]{64} {2}one\.jar\n/,
  )
  assert.equal(kafkaInstalled(kafka), false)
  assert.equal(jar(), 'a jar')
})

test('several at once leave one whole folder', async () => {
  await install()
  rmSync(join(kafka, 'lib'), { recursive: true })
  await Promise.all([install(), install(), install()])
  assert.equal(kafkaInstalled(kafka), true)
  assert.equal(jar(), 'a jar')
})

test('tells what Maven said when it fails', async () => {
  writeFileSync(join(bin, 'mvn'), '#!/bin/sh\necho "Could not resolve"; exit 1\n', { mode: 0o755 })
  await assert.rejects(
    install(),
    /expected Maven to fetch Kafka's jars; mvn ended with exit code 1:\nCould not resolve/,
  )
})

test('says what to install where there is no Maven', async () => {
  rmSync(join(bin, 'mvn'))
  await assert.rejects(
    install(),
    /expected Maven.*found none\. Install it .*apt-get install maven\), or set KAFKA_BROKERS/,
  )
})
