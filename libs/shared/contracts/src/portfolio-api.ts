export * from './generated/jts/portfolio/v1/portfolio.ts'
