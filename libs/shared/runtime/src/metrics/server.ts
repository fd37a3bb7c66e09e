/** `/metrics` for Prometheus, on the loopback address only: it tells of positions and limits, and asks nobody who they are. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type MetricsPage = { readonly contentType: string; text(): Promise<string> }
export type MetricsServer = { readonly port: number; readonly url: string; stop(): Promise<void> }

export const METRICS_HOST = '127.0.0.1'

/**
 * @param port 0 = any free one.
 * @param pages by path, `/metrics` among them.
 * @throws Error when the port is taken.
 */
export async function startMetricsServer(
  port: number,
  pages: Readonly<Record<string, MetricsPage>>,
): Promise<MetricsServer> {
  const server = createServer((request, response) => void answer(request, response, pages))
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(port, METRICS_HOST, done)
  })
  // Metrics must not keep a process alive that has nothing else to do.
  server.unref()
  const bound = (server.address() as AddressInfo).port
  return {
    port: bound,
    url: `http://${METRICS_HOST}:${bound}/metrics`,
    stop: () =>
      new Promise((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  pages: Readonly<Record<string, MetricsPage>>,
): Promise<void> {
  const path = (request.url ?? '').split('?')[0]!
  const page = Object.hasOwn(pages, path) ? pages[path] : undefined
  const end = (status: number, contentType: string, text: string): void => {
    response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' })
    response.end(request.method === 'HEAD' ? undefined : text)
  }
  if (page === undefined) return end(404, 'text/plain', `expected one of ${Object.keys(pages).join(', ')}\n`)
  if (request.method !== 'GET' && request.method !== 'HEAD') return end(405, 'text/plain', 'expected GET\n')
  try {
    end(200, page.contentType, await page.text())
  } catch (error) {
    end(500, 'text/plain', `the figures could not be read: ${(error as Error).message}\n`)
  }
}
