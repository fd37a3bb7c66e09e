/** Builds one service into a folder that runs with Node.js alone: its own files, the packages they need, and nothing else. */
import { cpSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { BUILT_SERVICES, type BuiltService } from './services.ts'
import { trace, type TraceOptions } from './trace.ts'

const MAIN = 'apps/jts/src/main.ts'
/** What `serve` runs with the screen in it, which no other service carries. */
const GATEWAY = 'apps/jts/src/commands/serve-gateway.ts'
/** What a package brings for those who compile or debug with it. */
const NOT_RUN = /\.(d\.[mc]?ts|map|md|markdown|tsbuildinfo)$|^(test|tests|__tests__|benchmarks?|docs|examples?)$/

export type Built = { readonly folder: string; readonly files: number; readonly packages: number }

/** Where a service's trace begins, and the commands that it does not have. @throws Error when there is no such service */
export function entriesOf(root: string, name: string): Pick<TraceOptions, 'entries' | 'isLeftOut'> {
  const { commands, beside } = serviceOf(name)
  return {
    entries: [MAIN, ...beside.flatMap((pattern) => matching(root, pattern))],
    isLeftOut: leavesOut(root, commands),
  }
}

/** Of the command line's own imports, those of other commands. */
export function leavesOut(root: string, commands: readonly string[]): NonNullable<TraceOptions['isLeftOut']> {
  return (from, to) =>
    (from === resolve(root, MAIN) && !commands.includes(basename(to, '.ts'))) ||
    (to === resolve(root, GATEWAY) && !commands.includes(basename(GATEWAY, '.ts')))
}

function serviceOf(name: string): BuiltService {
  const service = Object.hasOwn(BUILT_SERVICES, name) ? BUILT_SERVICES[name] : undefined
  if (service !== undefined) return service
  throw new Error(`expected one of ${Object.keys(BUILT_SERVICES).join(', ')}; found ${JSON.stringify(name)}`)
}

/** @throws Error when there is no such service, or an import leads nowhere */
export function buildService(root: string, name: string, out = join(root, 'dist/apps', name)): Built {
  const { files, own, packages } = trace({ root, ...entriesOf(root, name) })
  const making = `${out}.new`
  rmSync(making, { recursive: true, force: true })
  for (const file of files) copy(file, join(making, relative(root, file)))
  for (const folder of packages) copyPackage(folder, join(making, relative(root, folder)))
  for (const [packageName, folder] of own) link(making, packageName, join(making, relative(root, folder)))
  writeFileSync(join(making, 'package.json'), packageJson(root, name))
  const service = serviceOf(name)
  writeFileSync(join(making, 'start.js'), startScript(name, service))
  writeFileSync(join(making, 'healthy.js'), healthScript(name, service))
  rmSync(out, { recursive: true, force: true })
  renameSync(making, out)
  return { folder: out, files: files.size, packages: packages.size }
}

function matching(root: string, pattern: string): string[] {
  const found = globSync(pattern, { cwd: root, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.(test|integration|system|recordings)\./.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
  if (found.length === 0) throw new Error(`expected files at ${pattern}; found none`)
  return found.sort()
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  cpSync(from, to)
}

/** Without what lies in a nested node_modules: what of it is needed was found as a package of its own. */
function copyPackage(from: string, to: string): void {
  cpSync(from, to, {
    recursive: true,
    dereference: true,
    filter: (source) => {
      const inside = relative(from, source)
      return inside === '' || (basename(inside) !== 'node_modules' && !NOT_RUN.test(inside))
    },
  })
}

function link(out: string, name: string, folder: string): void {
  const place = join(out, 'node_modules', name)
  mkdirSync(dirname(place), { recursive: true })
  // Windows lets anyone make a junction, which takes a whole path.
  if (process.platform === 'win32') symlinkSync(folder, place, 'junction')
  else symlinkSync(relative(dirname(place), folder), place)
}

function packageJson(root: string, name: string): string {
  const { version, license, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string
    license: string
    engines: unknown
  }
  return `${JSON.stringify({ name: `jts-${name}`, version, private: true, license, type: 'module', engines }, null, 2)}\n`
}

/** A first argument that names a command runs that one instead: `node start.js halt`. */
function startScript(name: string, { start, commands }: BuiltService): string {
  return `// Starts ${name}: node start.js [options]; --help tells them.
const [first] = process.argv.slice(2)
if (!${JSON.stringify(commands)}.includes(first)) process.argv.splice(2, 0, ...${JSON.stringify(start)})
await import('./${MAIN}')
`
}

function healthScript(name: string, { health }: BuiltService): string {
  const words = `// Whether ${name} answers where its container listens: exit code 0 or 1.\n`
  if (typeof health !== 'string') {
    return `${words}process.argv.splice(2, 0, 'healthy', ...${JSON.stringify(health)})\nawait import('./${MAIN}')\n`
  }
  return `${words}const answer = fetch('${health}', { signal: AbortSignal.timeout(5000) })
process.exitCode = await answer.then(({ status }) => (status < 500 ? 0 : 1), () => 1)
`
}
