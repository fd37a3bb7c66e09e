export { createRiskManagement, type RiskManagement, type RiskManagementOptions } from './service.ts'
