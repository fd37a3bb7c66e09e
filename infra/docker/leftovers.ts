/**
 * What test runs leave in podman and buildah when they are cut off: containers, networks, volumes and folders under the name of
 * a process that is no more, and builds that nobody goes on with.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

const PROJECT = /^jts-test-(\d+)(?=[-_])/
/** As buildah names the container of a stage that is built on an unnamed layer; what a person starts is named for its image. */
const UNFINISHED = /^[0-9a-f]{12}-working-container(-\d+)?$/
/** Layers are kept this long for the next build. */
const LAYERS_HOURS = 48

export const projectOf = (pid: number): string => `jts-test-${pid}`

export function clearLeftovers(): void {
  for (const name of abandoned(lines('podman', 'ps', '--all', '--format', '{{.Names}}')))
    run('podman', 'rm', '--force', '--volumes', name)
  for (const kind of ['network', 'volume'])
    for (const name of abandoned(lines('podman', kind, 'ls', '--format', '{{.Name}}')))
      run('podman', kind, 'rm', '--force', name)
  for (const folder of abandoned(readdirSync(tmpdir())))
    rmSync(join(tmpdir(), folder), { recursive: true, force: true })
  if (commands().includes('buildah')) return
  for (const name of lines('buildah', 'containers', '--format', '{{.ContainerName}}').filter((one) =>
    UNFINISHED.test(one),
  ))
    run('buildah', 'rm', name)
  const old = ['--filter', 'label=jts.layers', '--filter', `until=${LAYERS_HOURS}h`]
  run('podman', 'image', 'prune', '--force', ...old)
}

/** Of the names, those of runs whose process has ended. */
export function abandoned(names: readonly string[], isAlive: (pid: number) => boolean = isNode): string[] {
  return names.filter((name) => {
    const pid = PROJECT.exec(name)?.[1]
    return pid !== undefined && !isAlive(Number(pid))
  })
}

/** A number that something else has by now is no run's. */
function isNode(pid: number): boolean {
  return commandOf(pid) === 'node'
}

function commands(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => commandOf(Number(pid)))
}

function commandOf(pid: number): string {
  try {
    return basename(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? '')
  } catch {
    return ''
  }
}

function lines(program: string, ...args: readonly string[]): string[] {
  return run(program, ...args)
    .split('\n')
    .filter(Boolean)
}

/** What cannot be cleared disturbs nobody: the next run has other names. */
function run(program: string, ...args: readonly string[]): string {
  return spawnSync(program, args, { encoding: 'utf8', timeout: 60_000 }).stdout ?? ''
}
