import js from '@eslint/js'
import nx from '@nx/eslint-plugin'
import tseslint from 'typescript-eslint'
import {
  deterministic,
  domainImports,
  moduleBoundaries,
  strategyImports,
  tradingImports,
  venueImports,
} from './infra/lint/boundaries.ts'
import { projectGraph } from './infra/lint/project-graph.ts'

// Without a graph the boundary rule only warns and guards nothing.
await projectGraph()

const tests = ['**/*.test.ts', '**/*.recordings.ts', '**/e2e/**']

export default tseslint.config(
  { ignores: ['**/node_modules/**', '**/dist/**', '.nx/**', '.jts/**', '**/generated/**', '**/fixtures/**'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strict, tseslint.configs.stylistic],
    plugins: { '@nx': nx },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@nx/enforce-module-boundaries': moduleBoundaries,
      // The rules that need types and that catch what no test sees: a promise nobody awaits, a state nobody handles.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite'] },
          ],
        },
      ],
      '@typescript-eslint/no-misused-promises': [
        'error',
        { checksVoidReturn: { arguments: false, attributes: false } },
      ],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
      // Adapters with nothing to wait for still answer through a promise; a marker class needs no body.
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      // `noUncheckedIndexedAccess` asks for the mark on every index that the loop around it has already bounded.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // An interface for what is implemented, a type for a plain shape: the author chooses.
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/unified-signatures': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      // The compiler knows the globals.
      'no-undef': 'off',
    },
  },
  // A test reads an answer of any shape and asserts what it expects of it.
  { files: tests, rules: { '@typescript-eslint/no-explicit-any': 'off' } },
  { files: ['**/*.js', '**/*.mjs'], rules: { 'no-undef': 'off' } },
  {
    files: ['apps/*/*/src/domain/**'],
    ignores: tests,
    rules: { '@typescript-eslint/no-restricted-imports': domainImports, ...deterministic },
  },
  {
    files: ['libs/trading/**'],
    ignores: [...tests, 'libs/trading/strategy-kit/src/load.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': tradingImports, ...deterministic },
  },
  {
    files: ['strategies/**'],
    ignores: tests,
    rules: { '@typescript-eslint/no-restricted-imports': strategyImports, ...deterministic },
  },
  { files: ['apps/venues/**'], rules: { '@typescript-eslint/no-restricted-imports': venueImports } },
)
