import type { ReactNode } from 'react'
import { useLanguage } from '../i18n/language-context.tsx'
import type { Language } from '../i18n/messages.ts'

const NAMES: readonly [Language, string][] = [
  ['ko', '한국어'],
  ['en', 'English'],
]

export function LanguageSwitch(): ReactNode {
  const { language, messages, choose } = useLanguage()
  return (
    <div className="tabs small" role="group" aria-label={messages.language}>
      {NAMES.map(([code, name]) => (
        <button key={code} type="button" lang={code} aria-pressed={code === language} onClick={() => choose(code)}>
          {name}
        </button>
      ))}
    </div>
  )
}
