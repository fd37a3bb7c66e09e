/** Fetches Kafka's jars with Maven, once, and checks them against the sums kept in the repository. */
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './processes.ts'
import { missing, onPath } from './programs.ts'

const KAFKA = join(import.meta.dirname, '../kafka')
/** Written last, and only into a folder whose jars were checked. */
const STAMP = '.installed-from'
const FETCH_MINUTES = 10

export const KAFKA_CLASSPATH = join(KAFKA, 'lib', '*')
export const KAFKA_LOGGING = join(KAFKA, 'log4j2.xml')

export function kafkaInstalled(kafka = KAFKA): boolean {
  const stamp = join(kafka, 'lib', STAMP)
  return existsSync(sumsOf(kafka)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted(kafka)
}

/** Safe when several do it at once: each fetches into a folder of its own, and whole folders are exchanged. */
export async function installKafka(say: (words: string) => void, kafka = KAFKA): Promise<void> {
  if (kafkaInstalled(kafka)) return
  if (!onPath('mvn')) throw missing("Maven (mvn), which fetches Kafka's jars,", 'maven', 'KAFKA_BROKERS')
  say('fetching Apache Kafka with Maven (once, about 45 MB)')
  const folder = mkdtempSync(join(kafka, '.lib-'))
  try {
    const jars = join(folder, 'jars')
    const args = ['-B', '-q', 'dependency:copy-dependencies', `-DoutputDirectory=${jars}`, '-DincludeScope=runtime']
    await run({ command: 'mvn', args, cwd: kafka }, { timeoutMs: FETCH_MINUTES * 60_000 }).catch((error: Error) => {
      throw new Error(`expected Maven to fetch Kafka's jars; ${error.message}`)
    })
    checkSums(jars, sumsOf(kafka))
    writeFileSync(join(jars, STAMP), wanted(kafka))
    const lib = join(kafka, 'lib')
    if (existsSync(lib)) renameSync(lib, join(folder, 'old'))
    renameSync(jars, lib)
  } catch (error) {
    // Another was quicker.
    if (!kafkaInstalled(kafka)) throw error
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function wanted(kafka: string): string {
  return readFileSync(join(kafka, 'pom.xml'), 'utf8') + readFileSync(sumsOf(kafka), 'utf8')
}

function sumsOf(kafka: string): string {
  return join(kafka, 'jars.sha256')
}

/** In the form of `sha256sum`. Whoever changes pom.xml removes the file, and it is written from what then comes. */
function checkSums(jars: string, sums: string): void {
  const found = readdirSync(jars)
    .sort()
    .map(
      (name) =>
        `${createHash('sha256')
          .update(readFileSync(join(jars, name)))
          .digest('hex')}  ${name}\n`,
    )
  if (!existsSync(sums)) writeFileSync(sums, found.join(''))
  const expected = readFileSync(sums, 'utf8')
  if (found.join('') === expected) return
  const others = found.filter((line) => !expected.includes(line)).map((line) => line.trimEnd())
  throw new Error(
    `expected the jars of ${sums}; Maven brought other ones:\n${others.join('\n') || '(some are missing)'}\nIf infra/kafka/pom.xml was changed on purpose, remove jars.sha256 and install again; else do not use them.`,
  )
}
