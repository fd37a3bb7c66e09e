export * from './lock-step.ts'
