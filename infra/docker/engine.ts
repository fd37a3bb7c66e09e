/**
 * Containers without a Docker engine and without an image registry: buildah builds on stand-ins for the official images,
 * podman runs what podman-compose reads. Needs root. A run has a folder with a copy of the repository, a network and a port of
 * its own.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { freePort } from '@jts/servers'
import { copyClean } from '../build/clean-copy.ts'
import { clearLeftovers, projectOf } from './leftovers.ts'

export const ROOT = resolve(import.meta.dirname, '../..')
const MINUTE = 60_000
/** What the scripts say to Docker, in the words of those who do it here. */
const DOCKER = `#!/bin/sh
case "$1" in
  build) shift; exec buildah bud --isolation=chroot --format=docker --layers "$@" ;;
  version) echo linux ;;
  compose) exit 1 ;;
  *) exec podman "$@" ;;
esac
`

type Output = { readonly code: number | null; readonly output: string; readonly stdout: string }
type Variables = Readonly<Record<string, string>>
export type Light = { readonly name: string; readonly state: string; readonly reason?: string }

export class Engine {
  readonly project = projectOf(process.pid)
  readonly folder = mkdtempSync(join(tmpdir(), `${this.project}-`))
  readonly network = `${this.project}-network`
  readonly #file: string
  readonly #env: NodeJS.ProcessEnv
  #port = 0

  /** `file`: the compose file that is run. */
  constructor(file: string) {
    this.#file = file
    clearLeftovers()
    copyClean(ROOT, this.folder)
    // What is not of the repository stands where no image is built from: what was built once is then found again.
    const own = join(this.folder, '.jts/engine')
    const bin = join(own, 'bin')
    const composing = `#!/bin/sh\nexec podman-compose -p ${this.project} "$@"\n`
    this.#program(join(bin, 'docker'), DOCKER)
    this.#program(join(bin, 'docker-compose'), composing)
    const files = spawnSync('bash', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).stdout.trim()
    const limit = files === 'unlimited' ? '65536' : files
    writeFileSync(
      join(own, 'containers.conf'),
      `[containers]\ndefault_ulimits = ["nofile=${limit}:${limit}", "nproc=4096:4096"]\ninit_path = "/usr/bin/catatonit"\n` +
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n',
    )
    const path = `${bin}:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`
    this.#env = {
      ...process.env,
      PATH: path,
      CONTAINERS_CONF: join(own, 'containers.conf'),
      JTS_RESTART: 'no',
      NX_DAEMON: 'false',
    }
  }

  #program(path: string, text: string): void {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    chmodSync(path, 0o755)
  }

  /** Gives files of the copy this run's network and port. */
  async adapt(...names: readonly string[]): Promise<void> {
    this.#port ||= await freePort()
    for (const name of names) {
      const content = readFileSync(join(ROOT, name), 'utf8')
        .replaceAll('jts-network', this.network)
        .replaceAll('127.0.0.1:8700:8700', `127.0.0.1:${this.#port}:8700`)
      this.#program(join(this.folder, name), content)
    }
  }

  async run(command: string, args: readonly string[], minutes: number, more: Variables = {}): Promise<Output> {
    const child = spawn(command, args, {
      cwd: this.folder,
      env: { ...this.#env, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), minutes * MINUTE)
    let stdout = ''
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => ((stdout += chunk.toString()), (output += chunk.toString())))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const code = await new Promise<number | null>((done) => {
      child.once('exit', (exit) => setTimeout(done, 100, exit))
      child.once('error', () => done(127))
    })
    clearTimeout(timer)
    // What goes on by itself may hold them open.
    child.stdout.destroy()
    child.stderr.destroy()
    return { code, output, stdout }
  }

  async must(command: string, args: readonly string[], minutes = 2, more: Variables = {}): Promise<string> {
    const { code, output, stdout } = await this.run(command, args, minutes, more)
    assert.equal(code, 0, `${command} ${args.join(' ')}:\n${output.slice(-4000)}`)
    return stdout
  }

  compose(args: readonly string[], more: Variables = {}): Promise<string> {
    return this.must('podman-compose', ['-p', this.project, '-f', this.#file, ...args], 5, more)
  }

  container(service: string): string {
    return `${this.project}_${service}_1`
  }

  inside(service: string, ...command: string[]): Promise<Output> {
    return this.run('podman', ['exec', this.container(service), ...command], 1)
  }

  async logs(service: string): Promise<string> {
    return (await this.run('podman', ['logs', this.container(service)], 1)).output
  }

  /** Asks the health check of a container: podman leaves its hours to systemd, which need not be there. */
  async isHealthy(service: string): Promise<boolean> {
    return (await this.run('podman', ['healthcheck', 'run', this.container(service)], 1)).code === 0
  }

  /** As who is on the machine asks: the gateway answers under its own address alone, also where the port is another. */
  async ask(path: string): Promise<unknown> {
    const asked = request({ port: this.#port, path, headers: { host: '127.0.0.1:8700' }, timeout: 10_000 })
    asked.on('timeout', () => asked.destroy(new Error('expected an answer within 10 s, found none'))).end()
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    const body = await text(response)
    assert.equal(response.statusCode, 200, body.slice(0, 500))
    return path.startsWith('/api') ? (JSON.parse(body) as { data: unknown }).data : body
  }

  async lights(): Promise<readonly Light[]> {
    return ((await this.ask('/api/v1/status')) as { services: Light[] }).services
  }

  /** @throws Error with the last words of `services` when it does not become so */
  async until<T>(what: string, services: readonly string[], answer: () => Promise<T | false>): Promise<T> {
    let last: unknown
    for (const end = Date.now() + 3 * MINUTE; Date.now() < end;) {
      const found = await answer().catch((error: unknown) => ((last = error), false as const))
      if (found !== false) return found
      await new Promise((done) => setTimeout(done, 1000))
    }
    const tails = await Promise.all(services.map(async (name) => `${name}:\n${(await this.logs(name)).slice(-800)}`))
    throw new Error(`expected ${what} within three minutes; the last words were\n${tails.join('\n')}`, { cause: last })
  }

  /** Of each container, also one that has ended. */
  async exitCodes(services: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const codes = services.map(async (service) => {
      const said = await this.must('podman', ['inspect', '--format', '{{.State.ExitCode}}', this.container(service)])
      return [service, said.trim()] as const
    })
    return Object.fromEntries(await Promise.all(codes))
  }

  async end(): Promise<void> {
    await this.run('podman-compose', ['-p', this.project, '-f', this.#file, 'down', '-v', '-t', '5'], 3)
    await this.run('podman', ['network', 'rm', '-f', this.network], 1)
    rmSync(this.folder, { recursive: true, force: true })
  }
}
