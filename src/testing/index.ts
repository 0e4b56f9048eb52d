/** Test support for executors, also those of users: the cases every executor has to pass. Needs vitest. */
export { EXECUTOR_CASES, runExecutorCases } from './executor-cases.ts'
export type { CaseContext, ExecutorCase, ExecutorUnderTest, Fixture, FixtureHook, FixtureOptions } from './executor-fixture.ts'
export type { CaseTask } from './task-values.ts'
export { createTaskFile, createTaskSpec } from './task-values.ts'
export { readLog, settled, until } from './waiting.ts'
