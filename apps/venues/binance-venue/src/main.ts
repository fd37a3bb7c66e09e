import { runBinanceVenue } from './index.ts'

process.exitCode = await runBinanceVenue(process.argv.slice(2))
process.exit()
