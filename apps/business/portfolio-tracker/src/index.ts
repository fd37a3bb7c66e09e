export { createPortfolioTracker, type PortfolioTracker, type PortfolioTrackerOptions } from './service.ts'
