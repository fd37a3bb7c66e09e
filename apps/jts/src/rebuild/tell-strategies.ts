/** What `./jts rebuild --strategies` says. */
import { EXIT } from '../cli.ts'
import type { ReplayedInstance } from './strategies.ts'

export function tellStrategies(found: readonly ReplayedInstance[], asJson: boolean): number {
  const equal = found.every(isEqual)
  process.stdout.write(asJson ? `${JSON.stringify({ equal, instances: found })}\n` : textOf(found))
  return equal ? EXIT.ok : EXIT.no
}

function isEqual({ differences, problems }: ReplayedInstance): boolean {
  return differences.length === 0 && problems.length === 0
}

function textOf(found: readonly ReplayedInstance[]): string {
  if (found.length === 0) return 'No strategy instance has run here.\n'
  return `${found.flatMap(linesOf).join('\n')}\n`
}

function linesOf(one: ReplayedInstance): string[] {
  const { instance, strategy, instrument, inputs, signals, differences, problems, notes } = one
  const said = isEqual(one) ? 'as recorded' : 'NOT as recorded'
  return [
    `${instance} (${strategy}${instrument === undefined ? '' : ` on ${instrument}`}): ${inputs} input(s) replayed, ${signals} signal(s) compared: ${said}`,
    ...differences.map(({ at, recorded, replayed }) => `  at ${at}: recorded is ${recorded}; replayed is ${replayed}`),
    ...[...problems, ...notes].map((text) => `  ${text}`),
  ]
}
