import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, it } from 'node:test'
import { sleep } from './processes.ts'
import { TcpProxy } from './tcp-proxy.ts'

let server: Server
let proxy: TcpProxy
const clients: Socket[] = []

beforeEach(async () => {
  server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy = await TcpProxy.start({ port: (server.address() as AddressInfo).port })
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await proxy.close()
  server.close()
})

async function open(): Promise<{ socket: Socket; received: () => string }> {
  const socket = connect(proxy.port, '127.0.0.1')
  clients.push(socket)
  let received = ''
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()))
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return { socket, received: () => received }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((done) => socket.once('close', () => done()))
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !condition(); i++) await sleep(1)
  assert.ok(condition(), 'waited in vain')
}

it('forwards both ways, and the end', async () => {
  const { socket, received } = await open()
  socket.end('hello')
  await closed(socket)
  assert.equal(received(), 'hello')
  await until(() => proxy.links === 0)
})

it('forwards a megabyte in order', async () => {
  const { socket, received } = await open()
  const text = Array.from({ length: 150_000 }, (_, n) => n).join(' ')
  socket.end(text)
  await closed(socket)
  assert.ok(received() === text)
})

it('cut ends the links that stand with a reset; new ones are served', async () => {
  const { socket } = await open()
  socket.write('x')
  await once(socket, 'data')
  const error = closed(socket).then(() => socket.errored as NodeJS.ErrnoException)
  proxy.cut()
  assert.equal((await error).code, 'ECONNRESET')
  assert.equal(proxy.links, 0)
  const other = await open()
  other.socket.write('again')
  await until(() => other.received() === 'again')
  assert.equal(proxy.accepted, 2)
})

for (const directions of [[], ['up'], ['down']] as const) {
  it(`stall ${directions.join() || 'both'} leaves the link open and silent, also a new one; flow brings what was held`, async () => {
    const first = await open()
    proxy.stall(...directions)
    first.socket.write('one')
    const second = await open()
    second.socket.write('two')
    await sleep(50)
    assert.equal(first.received() + second.received(), '')
    assert.equal(first.socket.readyState, 'open')
    proxy.flow()
    await until(() => first.received() === 'one' && second.received() === 'two')
  })
}

it('a stalled link does not even tell that the server has gone', async () => {
  const theirs = new Promise<Socket>((done) => server.once('connection', done))
  const { socket } = await open()
  const gone = await theirs
  proxy.stall()
  gone.destroy()
  await sleep(50)
  assert.equal(socket.readyState, 'open')
  proxy.flow()
  await closed(socket)
})

it('delay holds each chunk, in order', async () => {
  const { socket, received } = await open()
  proxy.delay(30)
  const begun = performance.now()
  for (const word of ['a', 'b', 'c']) socket.write(word)
  await until(() => received() === 'abc')
  assert.ok(performance.now() - begun >= 59)
})

it('refuse lets nobody in, and those that are in go on; accept opens the same port again', async () => {
  const { socket, received } = await open()
  await proxy.refuse()
  await assert.rejects(open(), { code: 'ECONNREFUSED' })
  socket.write('still here')
  await until(() => received() === 'still here')
  await proxy.accept()
  const other = await open()
  other.socket.write('back')
  await until(() => other.received() === 'back')
})

it('a server that is not there ends the link', async () => {
  const nobody = await TcpProxy.start({ port: 1 })
  const socket = connect(nobody.port, '127.0.0.1')
  socket.on('error', () => undefined)
  await closed(socket)
  await nobody.close()
})
