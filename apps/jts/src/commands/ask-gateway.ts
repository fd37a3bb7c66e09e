/** One question to a JTS that runs, by the interface of its dashboard. */
import { UserError } from '../cli.ts'

export type Question = {
  /** The dashboard's address. */
  readonly url: string
  /** Under `/api/v1`. */
  readonly path: string
  /** It makes the question a command. */
  readonly body?: object
  readonly withinMs: number
  /** What a refusal means; its own words follow. */
  readonly refused: string
}

/** @throws UserError when nobody answers, or it is refused */
export async function askGateway<T>({ url, path, body, withinMs, refused }: Question): Promise<T> {
  const command = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(new URL(`/api/v1/${path}`, url), {
    ...(body === undefined ? {} : command),
    signal: AbortSignal.timeout(withinMs),
  }).catch((cause: unknown) => {
    throw new UserError(`expected JTS to answer at ${url}, found that it does not`, { cause })
  })
  const answer = (await response.json()) as { data?: T; detail?: string; title?: string }
  if (!response.ok || answer.data === undefined) {
    throw new UserError(`${refused}: ${answer.detail ?? answer.title ?? response.status}`)
  }
  return answer.data
}
