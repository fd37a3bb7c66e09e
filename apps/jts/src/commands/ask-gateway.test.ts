/** What a command is told is what is known: refused, or of unknown outcome. */
import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { freePort } from '@jts/servers'
import { askGateway } from './ask-gateway.ts'

const QUESTION = { path: 'things', withinMs: 60_000, refused: 'nothing is done', unknown: 'it is not known' }

async function asked(answer: RequestListener, question: object): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    return JSON.stringify(await askGateway({ url, ...QUESTION, ...question }))
  } catch (error) {
    return (error as Error).message.replace(url, 'URL')
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

const says =
  (status: number, body: object): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
const breaks: RequestListener = (request) => request.socket.destroy()
const ended: RequestListener = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{"data":')
  setImmediate(() => response.destroy())
}
const command = { body: {} }

const SITUATIONS: [situation: string, answer: RequestListener, question: object, told: RegExp][] = [
  ['a command that is answered', says(200, { data: { done: 1 } }), command, /^\{"done":1\}$/],
  ['a command that is refused', says(409, { detail: 'not now' }), command, /^nothing is done: not now$/],
  ['a command that fails on its way', says(500, { detail: 'failed' }), command, /^it is not known: failed$/],
  ['a command whose service went away', says(503, { detail: 'gone' }), command, /^it is not known: gone$/],
  ['a command whose service was late', says(504, { title: 'late' }), command, /^it is not known: late$/],
  ['a command whose connection breaks', breaks, command, /^it is not known: expected JTS to answer at URL/],
  ['a command whose answer ends too early', ended, command, /^it is not known: expected JTS to answer at URL/],
  ['a question that fails', says(500, { detail: 'failed' }), {}, /^nothing is done: failed$/],
  ['a question whose connection breaks', breaks, {}, /^expected JTS to answer at URL/],
  [
    'a question that something else answers',
    (_, response) => response.end('<html>'),
    {},
    /^expected JTS to answer at URL/,
  ],
]
for (const [situation, answer, question, told] of SITUATIONS) {
  test(situation, async () => assert.match(await asked(answer, question), told))
}

test('a command that nobody hears has done nothing', async () => {
  const url = `http://127.0.0.1:${await freePort()}`
  await assert.rejects(askGateway({ url, ...QUESTION, ...command }), {
    message: `expected JTS to answer at ${url}, found that it does not`,
  })
})
