/** Which files a program is made of: its own, followed from its entries by their imports, and the packages these name. */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { isBuiltin, stripTypeScriptTypes } from 'node:module'
import { dirname, join, relative, resolve, sep } from 'node:path'
import ts from 'typescript'

export type Trace = {
  /** Our own files and the package.json of each of our packages met, as real paths. */
  readonly files: ReadonlySet<string>
  /** Our packages by name, with the folder that holds each. */
  readonly own: ReadonlyMap<string, string>
  /** Folders of outside packages. */
  readonly packages: ReadonlySet<string>
}

export type TraceOptions = {
  readonly root: string
  readonly entries: readonly string[]
  /** An import asked for at run time that this program never makes. */
  readonly isLeftOut?: (from: string, to: string) => boolean
}

type Manifest = {
  readonly exports?: Readonly<Record<string, string>> | string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** @throws Error that names the file and the import that leads nowhere */
export function trace({ root, entries, isLeftOut = () => false }: TraceOptions): Trace {
  const files = new Set<string>()
  const own = new Map<string, string>()
  const packages = new Set<string>()
  const open = entries.map((entry) => resolve(root, entry))
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (files.has(file)) continue
    files.add(file)
    if (!/\.[mc]?[jt]s$/.test(file)) continue
    for (const { name, atRunTime } of importsOf(file)) {
      if (isBuiltin(name)) continue
      const target = name.startsWith('.') ? resolve(dirname(file), name) : fromPackage(name, file)
      if (target !== undefined && !(atRunTime && isLeftOut(file, target))) open.push(target)
    }
  }
  return { files, own, packages }

  /** The file of one of our own packages; an outside package is noted as a whole. */
  function fromPackage(specifier: string, from: string): string | undefined {
    const name = packageName(specifier)
    const folder = findPackage(name, dirname(from))
    if (folder === undefined) throw new Error(`${from}: expected the package ${name} to be installed, found none`)
    if (folder.split(sep).includes('node_modules')) {
      addPackage(folder)
      return undefined
    }
    own.set(name, folder)
    const manifest = join(folder, 'package.json')
    files.add(manifest)
    return join(folder, exported(readManifest(manifest), specifier.slice(name.length), `${from}: ${specifier}`))
  }

  function addPackage(folder: string): void {
    if (packages.has(folder)) return
    packages.add(folder)
    const { dependencies = {}, optionalDependencies = {} } = readManifest(join(folder, 'package.json'))
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const found = findPackage(name, folder)
      if (found !== undefined) addPackage(found)
      else if (!(name in optionalDependencies)) throw new Error(`${folder}: expected ${name} beside it, found none`)
    }
  }

  function findPackage(name: string, from: string): string | undefined {
    for (let folder = from; ; folder = dirname(folder)) {
      const candidate = join(folder, 'node_modules', name)
      if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate)
      if (relative(root, folder) === '' || dirname(folder) === folder) return undefined
    }
  }
}

type Import = { readonly name: string; readonly atRunTime: boolean }

/** What stays when the types are stripped. */
function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8')
  const code = /\.[mc]?ts$/.test(file) ? stripTypeScriptTypes(text) : text
  const found: Import[] = []
  const visit = (node: ts.Node): void => {
    const literal = ts.isCallExpression(node) ? node.arguments[0] : undefined
    if (literal && ts.isStringLiteral(literal) && isImportCall(node as ts.CallExpression)) {
      found.push({ name: literal.text, atRunTime: true })
    }
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      found.push({ name: (node.moduleSpecifier as ts.StringLiteral).text, atRunTime: false })
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, code, ts.ScriptTarget.Latest, false, ts.ScriptKind.JS))
  return found
}

/** `import('x')`, and `import.meta.resolve('x')`. */
function isImportCall({ expression }: ts.CallExpression): boolean {
  if (expression.kind === ts.SyntaxKind.ImportKeyword) return true
  return (
    ts.isPropertyAccessExpression(expression) &&
    ts.isMetaProperty(expression.expression) &&
    expression.name.text === 'resolve'
  )
}

function packageName(specifier: string): string {
  const parts = specifier.split('/')
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}

/** Our own packages keep to two forms: `.` or `./name`, and `./*`. */
function exported({ exports }: Manifest, subpath: string, what: string): string {
  const wanted = `.${subpath}`
  const table = typeof exports === 'string' ? { '.': exports } : (exports ?? {})
  const exact = table[wanted]
  if (exact !== undefined) return exact
  const pattern = table['./*']
  if (pattern !== undefined && subpath !== '') return pattern.replace('*', subpath.slice(1))
  throw new Error(`${what}: expected it among the exports of its package, found ${Object.keys(table).join(', ')}`)
}

function readManifest(file: string): Manifest {
  return JSON.parse(readFileSync(file, 'utf8')) as Manifest
}
