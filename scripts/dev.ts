/** `dev.ts .env.linux|.env.windows`: serves what that file says belongs on this machine, until interrupted. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { parseEnvironment, planServe } from './serve-plan.ts'

const ROOT = resolve(import.meta.dirname, '..')

try {
  const [file, ...others] = process.argv.slice(2)
  if (file === undefined || others.length > 0) throw new Error('usage: dev.ts .env.linux|.env.windows')
  const given = parseEnvironment(readFileSync(resolve(ROOT, file), 'utf8'), basename(file))
  // What is set already stands above the file.
  const env: Record<string, string | undefined> = { ...given, ...process.env }
  const plan = planServe(env, { platform: process.platform, isThere: existsSync })
  const nx = spawn(process.execPath, [join(import.meta.dirname, 'node.js'), 'nx', ...plan], {
    cwd: ROOT,
    env: env as NodeJS.ProcessEnv,
    stdio: 'inherit',
  })
  // Ctrl-C reaches the whole group; a signal sent to this process alone is passed on.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => nx.kill(signal))
  nx.once('exit', (code) => (process.exitCode = code ?? 1))
} catch (error) {
  process.stderr.write(`dev: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
