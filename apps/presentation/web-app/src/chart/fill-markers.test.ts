import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CandleView, FillView } from '../views.ts'
import { fillMarkers, markerText } from './fill-markers.ts'

const candle = (openTimeUs: number) => ({ openTimeUs }) as CandleView
const fill = (timeUs: number, side: 'buy' | 'sell', quantity: string, price: string) =>
  ({ timeUs, side, quantity, price }) as FillView
const candles = [candle(100), candle(200), candle(300)]

describe('fill markers', () => {
  it('stand on the candle in which the fill happened', () => {
    const markers = fillMarkers([fill(299, 'buy', '1', '10'), fill(300, 'sell', '1', '11')], candles)
    assert.deepEqual(
      markers.map(({ openTimeUs, side }) => [openTimeUs, side]),
      [
        [200, 'buy'],
        [300, 'sell'],
      ],
    )
  })
  it('share an arrow when of one side in one candle, with the exact sum', () => {
    const markers = fillMarkers([fill(210, 'buy', '0.1', '10'), fill(220, 'buy', '0.2', '12')], candles)
    assert.equal(markers.length, 1)
    assert.equal(markerText(markers[0]!), '0.3 ×2')
  })
  it('say quantity and price of a single fill', () => {
    assert.equal(markerText(fillMarkers([fill(210, 'buy', '0.15', '64180')], candles)[0]!), '0.15 @ 64,180')
  })
  it('are left out before the first candle and without candles', () => {
    assert.deepEqual(fillMarkers([fill(99, 'buy', '1', '1')], candles), [])
    assert.deepEqual(fillMarkers([fill(99, 'buy', '1', '1')], []), [])
  })
})
