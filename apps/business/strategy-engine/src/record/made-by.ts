/** What makes an instance's state beside its inputs, as text: a replay finds all of it there. */
import type { WarmUp } from '../domain/warm-up.ts'
import type { Instance, StrategyInstance } from '../instance.ts'

export type MadeBy = Pick<StrategyInstance, 'account' | 'instrument' | 'timeframe' | 'source'> & {
  readonly strategy: string
  readonly parameters: Readonly<Record<string, string>>
  /** Bars of the past, which are on no record: what follows them begins with the state that they have made. */
  readonly warmUp?: WarmUp
}

export function madeByText({ config, runner, warmUp }: Pick<Instance, 'config' | 'runner' | 'warmUp'>): string {
  const { account, instrument, timeframe, source } = config
  const { strategy, parameters } = runner.snapshot()
  const seen = warmUp === undefined || warmUp === 'due' ? {} : { warmUp }
  const madeBy: MadeBy = { strategy, parameters, account, instrument, timeframe, source, ...seen }
  return JSON.stringify(madeBy, (_, value: unknown) => (typeof value === 'bigint' ? { bigint: String(value) } : value))
}

export function parseMadeBy(text: string): MadeBy {
  return JSON.parse(text, (_, value: unknown) => {
    const units = (value as { bigint?: unknown } | null)?.bigint
    return typeof units === 'string' ? BigInt(units) : value
  }) as MadeBy
}
