/** `./jts doctor`: whether this machine can run JTS, one line a question, and how to mend what is wrong. */
import { EXIT, parseCommand } from '../cli.ts'
import { examine, type Finding } from '../doctor.ts'

const SPEC = {
  name: 'doctor',
  usage: './jts doctor [--config jts.yaml] [--data-dir DIR] [--json]',
  summary: 'Checks versions, ports, the clock, the disk, keys and servers. Exit code 1 when something must be mended.',
  options: {
    config: { type: 'text', value: 'FILE', help: 'the configuration to check (jts.yaml when there is one)' },
    'data-dir': { type: 'text', value: 'DIR', help: 'folder of the state (.jts/MODE)' },
    port: { type: 'number', value: 'N', help: 'port of the dashboard (that of the configuration; 8700)' },
    json: { type: 'flag', help: 'one JSON object on standard output' },
  },
} as const

const MARKS: Readonly<Record<Finding['state'], string>> = { ok: 'ok  ', note: 'note', mend: 'MEND' }

export async function doctorCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCommand(SPEC, argv)
  if (parsed === undefined) return EXIT.ok
  const { options } = parsed
  const findings = await examine({
    config: options.config,
    dataDir: options['data-dir'],
    port: options.port,
    env: process.env,
  })
  const isWell = findings.every(({ state }) => state !== 'mend')
  if (options.json) process.stdout.write(`${JSON.stringify({ ok: isWell, findings })}\n`)
  else {
    for (const { state, about, found, mend } of findings) {
      process.stdout.write(`${MARKS[state]}  ${about.padEnd(26)} ${found}\n`)
      if (mend !== undefined) process.stdout.write(`${' '.repeat(33)}→ ${mend}\n`)
    }
  }
  return isWell ? EXIT.ok : EXIT.no
}
