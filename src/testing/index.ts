/** Test support for executors, also those of users: the cases every executor has to pass. Needs vitest. */
export { EXECUTOR_CASES, runExecutorCases } from './executor-cases.ts'
export type { CaseContext, ExecutorCase, ExecutorUnderTest, Fixture, FixtureHook, FixtureOptions } from './executor-fixture.ts'
export { createFakeSlurm, type FakeJobId, type FakeSlurm, type FakeSlurmJob } from './fake-slurm/fake-slurm.ts'
export type { OutageKind } from './fake-slurm/outages.ts'
export type { FakeNode, FakePartition, FakeSlurmOptions } from './fake-slurm/slurm-options.ts'
export type { CaseTask } from './task-values.ts'
export { createTaskFile, createTaskSpec } from './task-values.ts'
export { readLog, settled, until } from './waiting.ts'
