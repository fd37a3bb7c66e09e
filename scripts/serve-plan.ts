/** What .env.linux and .env.windows mean: which services are served on this machine, by tag and by name. */

const WINDOWS_ONLY = 'tag:windows-only'
/** More than there are services: each goes on for as long as it is served. */
const PARALLEL = '--parallel=30'

export type Settings = Readonly<Record<string, string | undefined>>
export type Machine = { readonly platform: string; readonly isThere: (path: string) => boolean }

/** `NAME=VALUE` lines; a line that begins with # is a comment. @throws Error naming file and line */
export function parseEnvironment(text: string, file: string): Record<string, string> {
  const lines = text.split(/\r?\n/).map((line, i) => ({ line: line.trim(), at: `${file}:${i + 1}` }))
  const pairs = lines
    .filter(({ line }) => line !== '' && !line.startsWith('#'))
    .map(({ line, at }): [string, string] => {
      const match = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line)
      if (match === null) throw new Error(`${at}: expected NAME=VALUE, found ${JSON.stringify(line)}`)
      return [match[1]!, match[2]!]
    })
  return Object.fromEntries(pairs)
}

/**
 * The arguments of Nx. `PLATFORM` must be this machine's: services that only Windows can run are left out on Linux, and are
 * the only ones on Windows. `INCLUDED_SERVICES` narrows that to some, `EXCLUDED_SERVICES` takes some away. On Windows
 * `CREON_API_PATH` must be the folder in which CREON Plus is installed.
 * @throws Error that says what was expected and found
 */
export function planServe(settings: Settings, { platform, isThere }: Machine): string[] {
  const here = platform === 'win32' ? 'windows' : platform
  const wanted = settings['PLATFORM']
  if (wanted !== 'linux' && wanted !== 'windows') {
    throw new Error(`PLATFORM: expected linux or windows, found ${JSON.stringify(wanted ?? '')}`)
  }
  if (wanted !== here) throw new Error(`PLATFORM: expected ${here}, which this machine is, found ${wanted}`)
  const included = namesIn('INCLUDED_SERVICES', settings)
  const excluded = namesIn('EXCLUDED_SERVICES', settings)
  const both = included.filter((name) => excluded.includes(name))
  if (both.length > 0) throw new Error(`expected no service both included and excluded, found ${both.join(', ')}`)
  if (wanted === 'windows') requireCreon(settings['CREON_API_PATH'] ?? '', isThere)

  const projects = included.length > 0 || wanted === 'linux' ? included : [WINDOWS_ONLY]
  const leftOut = wanted === 'linux' ? [WINDOWS_ONLY, ...excluded] : excluded
  return [
    'run-many',
    '--target=serve',
    ...(projects.length > 0 ? [`--projects=${projects.join(',')}`] : []),
    ...(leftOut.length > 0 ? [`--exclude=${leftOut.join(',')}`] : []),
    ...(wanted === 'windows' ? ['--configuration=windows'] : []),
    PARALLEL,
  ]
}

function requireCreon(folder: string, isThere: Machine['isThere']): void {
  if (folder !== '' && isThere(folder)) return
  const found = folder === '' ? 'none' : `nothing at ${folder}`
  throw new Error(`CREON_API_PATH: expected the folder of CREON Plus, such as C:/PLUS/, found ${found}`)
}

function namesIn(variable: string, settings: Settings): string[] {
  const names = (settings[variable] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  const wrong = names.find((name) => !/^[a-z0-9-]+$/.test(name))
  if (wrong !== undefined) throw new Error(`${variable}: expected names of services, found ${JSON.stringify(wrong)}`)
  return names
}
