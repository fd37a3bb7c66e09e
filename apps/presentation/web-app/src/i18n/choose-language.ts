import type { Language } from './messages.ts'

const STORED = 'jts.language'

/** The stored choice, else the browser's: Korean for a Korean browser, English for any other. */
export function chooseLanguage(stored: string | null, preferred: readonly string[]): Language {
  if (stored === 'ko' || stored === 'en') return stored
  return preferred[0]?.toLowerCase().startsWith('ko') ? 'ko' : 'en'
}

export function loadLanguage(): Language {
  return chooseLanguage(readStored(), navigator.languages)
}

export function storeLanguage(language: Language): void {
  try {
    localStorage.setItem(STORED, language)
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}

function readStored(): string | null {
  try {
    return localStorage.getItem(STORED)
  } catch {
    return null
  }
}
