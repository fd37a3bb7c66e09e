/** The built web app, any unknown path leading to its one page; without a build, a page that says how to make one. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError, sendProblem } from '../problems.ts'

const PAGE = 'index.html'

const NOT_BUILT = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>JTS</title>
<h1>JTS is running</h1>
<p>The dashboard has not been built yet. Build it once, then reload this page:</p>
<pre>npx nx build web-app</pre>
<p lang="ko">대시보드가 아직 빌드되지 않았습니다. 위 명령을 한 번 실행한 뒤 새로 고침하세요.</p>
<p>The REST interface works without it: <a href="/api/v1/status">/api/v1/status</a></p>
</html>
`

export function registerWeb(app: FastifyInstance, webRoot: string | undefined): void {
  const isBuilt = (): boolean => webRoot !== undefined && existsSync(join(webRoot, PAGE))
  const sendPage = (reply: FastifyReply): FastifyReply =>
    isBuilt()
      ? reply.header('cache-control', 'no-cache').sendFile(PAGE, { cacheControl: false })
      : reply.header('cache-control', 'no-cache').type('text/html; charset=utf-8').send(NOT_BUILT)

  if (webRoot !== undefined) {
    app.register(fastifyStatic, {
      root: webRoot,
      index: false,
      dotfiles: 'ignore',
      cacheControl: false,
      suppressWarning: true,
      // Built file names carry a hash of their content.
      setHeaders: (reply, path) => {
        const isHashed = /[\\/]assets[\\/]/.test(path)
        void reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
      },
    })
  }
  app.get('/', (_request, reply) => sendPage(reply))
  app.setNotFoundHandler((request, reply) =>
    isPageRequest(request)
      ? sendPage(reply)
      : sendProblem(request, reply, new GatewayError('NOT_FOUND', `${request.method} ${request.url} is not served`)),
  )
}

function isPageRequest(request: FastifyRequest): boolean {
  const wantsPage = request.headers.accept?.includes('text/html') ?? false
  const path = request.url.split('?', 1)[0] ?? ''
  const isFile = /\.[a-z0-9]+$/i.test(path)
  return request.method === 'GET' && wantsPage && !isFile && path !== '/api' && !path.startsWith('/api/')
}
