/** `node infra/servers/run-python.ts FILE [arguments]`: with the Python of this machine, whatever it is called: Debian has no `python`. */
import { spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { findPython, PYTHON_OLDEST } from './python.ts'

/** As a shell says that there is no such program. */
const NOT_FOUND = 127

const python = findPython({ makesEnvironments: false })
if (python === undefined) {
  process.stderr.write(`expected Python ${PYTHON_OLDEST.join('.')} or newer on PATH, found none\n`)
  process.exit(NOT_FOUND)
}
const { status, signal } = spawnSync(python.command, process.argv.slice(2), { stdio: 'inherit' })
process.exit(status ?? 128 + (signal === null ? 0 : constants.signals[signal]))
