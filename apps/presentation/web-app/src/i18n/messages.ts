/** Korean is the first language; the compiler holds every other one to the same keys and arguments. */
import type { ko } from './ko.ts'

type Widened<T> = T extends string
  ? string
  : T extends (...args: infer A) => infer R
    ? (...args: A) => Widened<R>
    : { [K in keyof T]: Widened<T[K]> }

export type Messages = Widened<typeof ko>
export type Language = 'ko' | 'en'
