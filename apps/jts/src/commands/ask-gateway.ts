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
  /** What it means for a command that its answer was lost, or is that something failed on the way; its words follow. */
  readonly unknown?: string
}

const BAD_REQUEST = 400
const SERVER_ERROR = 500

/** @throws UserError when nobody answers, or it is refused */
export async function askGateway<T>(question: Question): Promise<T> {
  const { url, body, refused } = question
  const unknown = body === undefined ? undefined : question.unknown
  const { status, answer } = await answerTo<T>(question).catch((cause: unknown) => {
    const silence = `expected JTS to answer at ${url}, found that it does not`
    const isUnasked = (cause as { cause?: { code?: string } }).cause?.code === 'ECONNREFUSED'
    throw new UserError(isUnasked || unknown === undefined ? silence : `${unknown}: ${silence}`, { cause })
  })
  if (status < BAD_REQUEST && answer.data !== undefined) return answer.data
  const meaning = status < SERVER_ERROR ? refused : (unknown ?? refused)
  throw new UserError(`${meaning}: ${answer.detail ?? answer.title ?? status}`)
}

type Answer<T> = { data?: T; detail?: string; title?: string }

async function answerTo<T>({ url, path, body, withinMs }: Question): Promise<{ status: number; answer: Answer<T> }> {
  const command = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(new URL(`/api/v1/${path}`, url), {
    ...(body === undefined ? {} : command),
    signal: AbortSignal.timeout(withinMs),
  })
  return { status: response.status, answer: (await response.json()) as Answer<T> }
}
