// The boundary rule reads Nx's cached project graph, which a fresh clone does not have.
import { createProjectGraphAsync } from 'nx/src/project-graph/project-graph.js'

export async function projectGraph() {
  // The daemon and its plugin processes would outlive the lint.
  process.env.NX_DAEMON = 'false'
  process.env.NX_ISOLATE_PLUGINS = 'false'
  return await createProjectGraphAsync({ exitOnError: false, resetDaemonClient: true })
}
