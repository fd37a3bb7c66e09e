/** What makes an instance's state beside its inputs, as text: a replay finds all of it there. */
import type { Instance, StrategyInstance } from '../instance.ts'

export type MadeBy = Pick<StrategyInstance, 'account' | 'instrument' | 'timeframe' | 'source'> & {
  readonly strategy: string
  readonly parameters: Readonly<Record<string, string>>
}

export function madeByText({ config, runner }: Instance): string {
  const { account, instrument, timeframe, source } = config
  const { strategy, parameters } = runner.snapshot()
  const madeBy: MadeBy = { strategy, parameters, account, instrument, timeframe, source }
  return JSON.stringify(madeBy, (_, value: unknown) => (typeof value === 'bigint' ? { bigint: String(value) } : value))
}

export function parseMadeBy(text: string): MadeBy {
  return JSON.parse(text, (_, value: unknown) => {
    const units = (value as { bigint?: unknown } | null)?.bigint
    return typeof units === 'string' ? BigInt(units) : value
  }) as MadeBy
}
