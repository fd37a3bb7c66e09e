/** `./jts up`: every service in one process, on local venues unless told otherwise; with `--replay`, a recorded market. */
import { EXIT, UserError } from '../cli.ts'
import { runLive } from '../live.ts'
import { runReplay } from '../replay.ts'
import { parseUp } from '../up-options.ts'

export async function upCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseUp(argv)
  if (parsed === undefined) return EXIT.ok
  const { options } = parsed
  if (options.replicas !== undefined && !options.distributed) {
    throw new UserError('--replicas: expected --distributed beside it, found none')
  }
  if (options.replicas !== undefined && !(options.replicas >= 1 && options.replicas <= 16)) {
    throw new UserError(`--replicas: expected 1 to 16 processes, found ${options.replicas}`)
  }
  if (options.elsewhere && !options.distributed) {
    throw new UserError('--elsewhere: expected --distributed beside it, found none')
  }
  if (options.replay.length > 0) return runReplay(options)
  if (options['until-end']) throw new UserError('--until-end: expected --replay FILE beside it, found none')
  for (const name of ['fills', 'slippage-bps', 'instrument'] as const) {
    if (options[name] !== undefined) throw new UserError(`--${name}: expected --replay FILE beside it, found none`)
  }
  return runLive(options)
}
