/** The suites as data, in the order they run: the cheap ones first. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { FileSuite } from './find-tests.ts'
import { CREON_ENVIRONMENT, type Need } from './needs.ts'

export type Step =
  /** One command that counts as one test. */
  | {
      readonly kind: 'check'
      readonly name: string
      readonly command: readonly [string, ...string[]]
      readonly folder?: string
    }
  /** The test files that carry the suite's name. */
  /** All tests of a Python project, each counted. */
  | {
      readonly kind: 'pytest'
      readonly name: string
      readonly python: string
      readonly folder: string
      readonly seconds: number
    }
  | {
      readonly kind: 'files'
      readonly of: FileSuite
      readonly atOnce: number
      /** Finds what hangs, not what is slow: at least three times what the longest file takes among the others. */
      readonly fileSeconds: number
    }

export type Suite = {
  readonly name: string
  readonly about: string
  readonly budgetSeconds: number
  readonly needs: readonly Need[]
  readonly steps: readonly Step[]
  /** Runs only when asked for by name. */
  readonly onRequest?: true
  /** A variable that must be set. */
  readonly variable?: { readonly name: string; readonly about: string }
}

/** `--full` runs longer tables, more seeds and more kills: budgets and time limits grow with it. */
export const FULL_FACTOR = 10

/** The budgets of what runs unasked add up to 20 minutes. */
export function suites(root: string): readonly Suite[] {
  return [
    {
      name: 'static',
      about: 'formatting, lint with the import borders, types, contracts',
      budgetSeconds: 80,
      needs: [],
      steps: [
        check('formatted as prettier would', tool('prettier'), '--check', '.'),
        check('eslint finds nothing', tool('eslint'), '--max-warnings=0', '.'),
        check('types agree', tool('tsc'), '--noEmit', '-p', 'tsconfig.json'),
        ...contractChecks(root),
      ],
    },
    {
      name: 'unit',
      about: 'decisions and parts, each test file in its own process',
      budgetSeconds: 90,
      needs: [],
      steps: [{ kind: 'files', of: 'unit', atOnce: 2, fileSeconds: 180 }],
    },
    {
      name: 'integration',
      about: 'several parts over real files, sockets, processes and servers',
      budgetSeconds: 230,
      needs: ['openssl', 'shellcheck', 'redis-server', 'postgresql', 'java', 'kafka', 'creon-service'],
      steps: [{ kind: 'files', of: 'integration', atOnce: 2, fileSeconds: 300 }],
    },
    {
      name: 'python',
      about: 'creon-service on the simulated COM: style, types, tests',
      budgetSeconds: 70,
      needs: ['creon-service'],
      steps: pythonSteps('apps/brokers/creon-service', CREON_ENVIRONMENT.python),
    },
    {
      name: 'browser',
      about: 'the dashboard in a real browser',
      budgetSeconds: 50,
      needs: ['chromium'],
      steps: [
        { ...check('the web app builds', 'vite', 'build'), folder: 'apps/presentation/web-app' },
        { kind: 'files', of: 'browser', atOnce: 1, fileSeconds: 120 },
      ],
    },
    {
      name: 'system',
      about: 'the whole system: replays and kills, two files at a time',
      budgetSeconds: 680,
      needs: ['python3', 'python-venv', 'openssl', 'redis-server', 'postgresql', 'java', 'kafka'],
      steps: [{ kind: 'files', of: 'system', atOnce: 2, fileSeconds: 600 }],
    },
    {
      name: 'recordings',
      about: 'the whole system against recorded markets',
      budgetSeconds: 600,
      needs: ['python3', 'python-venv'],
      steps: [{ kind: 'files', of: 'recordings', atOnce: 1, fileSeconds: 300 }],
      onRequest: true,
      variable: { name: 'JTS_RECORDINGS', about: 'the folder of the recordings' },
    },
    {
      name: 'containers',
      about: 'the images built and the compose files run, without a Docker engine (needs root)',
      budgetSeconds: 900,
      needs: [
        ...(['debootstrap', 'buildah', 'podman', 'podman-compose', 'openssl'] as const),
        ...(['redis-server', 'postgresql', 'java', 'kafka', 'creon-service'] as const),
      ],
      steps: [{ kind: 'files', of: 'containers', atOnce: 1, fileSeconds: 1700 }],
      onRequest: true,
    },
  ]
}

function pythonSteps(folder: string, python: string): Step[] {
  const module = (name: string, ...command: [string, ...string[]]): Step => ({
    ...check(`${folder}: ${name}`, python, '-m', ...command),
    folder,
  })
  return [
    module('formatted as ruff would', 'ruff', 'format', '--check', '.'),
    module('ruff finds nothing', 'ruff', 'check', '.'),
    module('types agree', 'mypy'),
    { kind: 'pytest', name: `${folder}: pytest`, python, folder, seconds: 240 },
  ]
}

function contractChecks(root: string): Step[] {
  const folder = 'libs/shared/contracts'
  if (!existsSync(join(root, folder, 'buf.yaml'))) return []
  const buf = tool('buf')
  return [
    check('contracts follow the rules of style', buf, 'lint', folder),
    check('generated code is what the contracts say', process.execPath, join(import.meta.dirname, 'generated-code.ts')),
    // What others may already speak and what logs hold: renewed with a release, by `buf build` (see its buf.yaml).
    check(
      'contracts break nothing of the last release',
      buf,
      'breaking',
      folder,
      '--against',
      `${folder}/released.binpb`,
    ),
  ]
}

function check(name: string, ...command: [string, ...string[]]): Step & { kind: 'check' } {
  return { kind: 'check', name, command }
}

function tool(name: string): string {
  return `node_modules/.bin/${name}`
}
