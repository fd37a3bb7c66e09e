/** Hands the live state to the components, and keeps the fetched candles and fills in step with the stream. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { createContext, useContext, useEffect, useMemo, useSyncExternalStore, type ReactNode } from 'react'
import type { CandleView, FillView } from '../views.ts'
import { api } from './api.ts'
import { mergeCandles, withCandles } from './candles.ts'
import type { LiveState } from './reducer.ts'
import type { LiveStore } from './store.ts'

const LiveContext = createContext<LiveStore | undefined>(undefined)

export function LiveProvider({ store, children }: { store: LiveStore; children: ReactNode }): ReactNode {
  useEffect(() => {
    store.start()
    return () => store.stop()
  }, [store])
  return <LiveContext value={store}>{children}</LiveContext>
}

function useStore(): LiveStore {
  const store = useContext(LiveContext)
  if (store === undefined) throw new Error('expected a LiveProvider above, found none')
  return store
}

export function useLive(): LiveState {
  const store = useStore()
  return useSyncExternalStore(store.subscribe, store.getState)
}

/** The first snapshot by REST: it shows something even where the stream cannot be opened, and says why when neither can. */
export function useFirstSnapshot(): { error: Error | null; retry: () => void } {
  const store = useStore()
  const known = useLive().status !== undefined
  const query = useQuery({
    queryKey: ['snapshot'],
    queryFn: async ({ signal }) => {
      const snapshot = await api.snapshot(signal)
      store.loaded(snapshot)
      return snapshot
    },
    enabled: !known,
    retry: 1,
    refetchInterval: 5_000,
  })
  return { error: known ? null : query.error, retry: () => void query.refetch() }
}

export function useCandles(
  instrument: string,
  timeframe: string,
): { candles: readonly CandleView[]; loading: boolean } {
  const store = useStore()
  const client = useQueryClient()
  const queryKey = useMemo(() => ['candles', instrument, timeframe], [instrument, timeframe])
  const query = useQuery({
    queryKey,
    queryFn: async ({ signal }) =>
      mergeCandles(
        await api.candles(instrument, timeframe, signal),
        store.heardCandles(instrument, timeframe),
      ) as CandleView[],
    // Whether a candle changed is asked by identity, so what did not change keeps it.
    structuralSharing: true,
  })
  useEffect(() => {
    const stopCandles = store.onCandles((batch) => {
      const news = batch.filter((candle) => candle.instrument === instrument && candle.timeframe === timeframe)
      if (news.length === 0) return
      client.setQueryData<readonly CandleView[]>(queryKey, (known) => known && withCandles(known, news))
    })
    const stopResync = store.onResync(() => void client.invalidateQueries({ queryKey: ['candles'] }))
    return () => {
      stopCandles()
      stopResync()
    }
  }, [store, client, queryKey, instrument, timeframe])
  return { candles: query.data ?? NONE, loading: query.isPending }
}

/** Fills of one instrument: older ones fetched once, newer ones from the stream. */
export function useFills(instrument: string): readonly FillView[] {
  const { fills } = useLive()
  const client = useQueryClient()
  const store = useStore()
  const query = useQuery({ queryKey: ['fills', instrument], queryFn: ({ signal }) => api.fills(instrument, signal) })
  useEffect(() => store.onResync(() => void client.invalidateQueries({ queryKey: ['fills'] })), [store, client])
  return useMemo(() => {
    const live = fills.filter((fill) => fill.instrument === instrument)
    const known = new Set(live.map((fill) => fill.fillId))
    return [...live, ...(query.data ?? []).filter((fill) => !known.has(fill.fillId))]
  }, [fills, query.data, instrument])
}

const NONE: readonly CandleView[] = []
