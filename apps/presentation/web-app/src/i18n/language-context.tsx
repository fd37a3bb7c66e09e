import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react'
import { loadLanguage, storeLanguage } from './choose-language.ts'
import { en } from './en.ts'
import { ko } from './ko.ts'
import type { Language, Messages } from './messages.ts'

const DICTIONARIES: Readonly<Record<Language, Messages>> = { ko, en }

type LanguageChoice = { language: Language; messages: Messages; choose: (language: Language) => void }

const LanguageContext = createContext<LanguageChoice>({ language: 'ko', messages: ko, choose: () => undefined })

/** Korea reads red as up and blue as down; the colours go with the language. */
export function LanguageProvider({ children }: { children: ReactNode }): ReactNode {
  const [language, setLanguage] = useState<Language>(() => {
    const loaded = loadLanguage()
    apply(loaded)
    return loaded
  })
  useEffect(() => apply(language), [language])
  const choice = useMemo<LanguageChoice>(
    () => ({
      language,
      messages: DICTIONARIES[language],
      choose(next) {
        storeLanguage(next)
        apply(next)
        setLanguage(next)
      },
    }),
    [language],
  )
  return <LanguageContext value={choice}>{children}</LanguageContext>
}

function apply(language: Language): void {
  document.documentElement.lang = language
  document.documentElement.dataset['colours'] = language === 'ko' ? 'kr' : 'west'
}

export function useLanguage(): LanguageChoice {
  return useContext(LanguageContext)
}

export function useMessages(): Messages {
  return useContext(LanguageContext).messages
}
