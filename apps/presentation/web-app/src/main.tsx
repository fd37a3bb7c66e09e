import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { LanguageProvider } from './i18n/language-context.tsx'
import { openStream } from './live/api.ts'
import { LiveProvider } from './live/live-context.tsx'
import { LiveStore } from './live/store.ts'
import './styles.css'

// The stream says what changed, so nothing is fetched again merely because time passed. The gateway is on this machine:
// whether the browser believes itself online does not matter.
const queries = new QueryClient({
  defaultOptions: {
    queries: { staleTime: Infinity, refetchOnWindowFocus: false, networkMode: 'always', retry: 2 },
    mutations: { networkMode: 'always' },
  },
})
const store = new LiveStore(openStream)

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <LanguageProvider>
        <LiveProvider store={store}>
          <App />
        </LiveProvider>
      </LanguageProvider>
    </QueryClientProvider>
  </StrictMode>,
)
