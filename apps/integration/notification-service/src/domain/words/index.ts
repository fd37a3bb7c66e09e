/** The languages in which a person may be told. */
import { en } from './en.ts'
import { ko } from './ko.ts'
import type { Words } from './words.ts'

export type Language = 'ko' | 'en'

export const WORDS: Readonly<Record<Language, Words>> = { ko, en }
