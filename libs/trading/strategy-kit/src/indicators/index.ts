export {
  crossedAbove,
  crossedBelow,
  type Indicator,
  type IndicatorPlain,
  type Plain,
  type Series,
} from './indicator.ts'
export { Sma, sma } from './sma.ts'
export { Ema, ema, type EmaSeed } from './ema.ts'
export { Rsi, rsi } from './rsi.ts'
export { Atr, atr } from './atr.ts'
