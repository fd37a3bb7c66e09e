import { useSyncExternalStore } from 'react'

const LIGHT = '(prefers-color-scheme: light)'

function subscribe(listener: () => void): () => void {
  const query = matchMedia(LIGHT)
  query.addEventListener('change', listener)
  return () => query.removeEventListener('change', listener)
}

export function useTheme(): 'light' | 'dark' {
  return useSyncExternalStore(subscribe, () => (matchMedia(LIGHT).matches ? 'light' : 'dark'))
}
