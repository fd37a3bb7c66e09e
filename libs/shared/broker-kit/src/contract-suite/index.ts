import { READING } from './cases/reading.ts'
import { SERVICE } from './cases/service.ts'
import { TRADING } from './cases/trading.ts'
import type { SuiteCase } from './suite.ts'

export const CASES: readonly SuiteCase[] = [...READING, ...TRADING, ...SERVICE]
export { RawApi } from './raw-api.ts'
export { runSuite, type Boldness, type CaseResult, type SuiteTarget, type VenueControl } from './suite.ts'
