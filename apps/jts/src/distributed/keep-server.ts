/** A server that was started here and ends by itself, of a full disk or of a kill, is started again until it runs. */
import type { Logger } from '@jts/runtime'
import type { Server } from '@jts/servers'

const AGAIN_MS = 500
const AGAIN_MAX_MS = 10_000

/** Returns how to end the keeping; the server itself is stopped by whoever started it. */
export function keepServer(server: Server, log: Logger, onEnded: (how: string) => void): () => void {
  let isOver = false
  const keep = async (): Promise<void> => {
    for (let pauseMs = AGAIN_MS; ; pauseMs = Math.min(pauseMs * 2, AGAIN_MAX_MS)) {
      const how = await server.ended
      if (isOver) return
      if (pauseMs === AGAIN_MS) {
        log.error({ server: server.name, how }, 'a server ended; starting it again')
        onEnded(how)
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
      if (isOver) return
      try {
        await server.restart()
        pauseMs = AGAIN_MS / 2
      } catch (error) {
        log.warn({ server: server.name, err: error }, 'a server could not be started; trying again')
      }
    }
  }
  void keep()
  return () => {
    isOver = true
  }
}
