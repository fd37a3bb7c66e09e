/** Builds the web page when it is missing or older than its sources; takes about a second. In production it is built already. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from '@jts/runtime'

const ROOT = resolve(fileURLToPath(import.meta.url), '../../../..')
const APP = join(ROOT, 'apps/presentation/web-app')

/** Where the built page is. */
export const WEB_ROOT = join(APP, 'dist')
const INDEX = join(WEB_ROOT, 'index.html')

export async function buildWebApp(log: Logger, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  if (env['NODE_ENV'] === 'production') {
    if (!existsSync(INDEX))
      log.error({ expected: INDEX }, 'the web page is not there; the REST interface works without it')
    return
  }
  if (!isStale()) return
  const vite = join(dirname(createRequire(join(APP, 'package.json')).resolve('vite/package.json')), 'bin/vite.js')
  const child = spawn(process.execPath, [vite, 'build', APP, '--logLevel', 'error'], {
    cwd: APP,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const code = await new Promise<number | null>((done) => child.once('exit', done))
  if (code !== 0)
    log.error({ output: output.slice(-2000) }, 'the web page could not be built; the REST interface works without it')
}

function isStale(): boolean {
  if (!existsSync(INDEX)) return true
  const builtMs = statSync(INDEX).mtimeMs
  const sources = readdirSync(join(APP, 'src'), { recursive: true }).map((name) => join(APP, 'src', String(name)))
  return [...sources, join(APP, 'index.html')].some((file) => statSync(file).mtimeMs > builtMs)
}
