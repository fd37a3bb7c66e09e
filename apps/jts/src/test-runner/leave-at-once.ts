/**
 * For `--import`: once everything has ended by itself, the process leaves without Node's last cleanup of handles, which on Node 24
 * can go round for ever (seen with child processes that were stopped and killed: `uv_run` below `CleanupHandles`). What a test
 * has left open still keeps it from ending, and is found.
 */
type Leaving = NodeJS.Process & { reallyExit(code: number): never }

process.on('exit', (code) => (process as Leaving).reallyExit(code))
