/** Test support for executors, also those of users: the cases every executor has to pass. Needs vitest. */
export { EXECUTOR_CASES, runExecutorCases } from './executor-cases.ts'
export type { CaseContext, ExecutorCase, ExecutorUnderTest, Fixture, FixtureHook, FixtureOptions } from './executor-fixture.ts'
export type { FakeScheduler } from './fake-commands/fake-scheduler.ts'
export { createFakePbs, type FakePbs, type FakePbsJob } from './fake-pbs/fake-pbs.ts'
export type { FakePbsNode, FakePbsOptions } from './fake-pbs/pbs-options.ts'
export type { PbsOutage } from './fake-pbs/pbs-outages.ts'
export { createFakePjm, type FakePjm, type FakePjmJob, type FakePjmOptions, type PjmOutage } from './fake-pjm/fake-pjm.ts'
export { createFakeSlurm, type FakeJobId, type FakeSlurm, type FakeSlurmJob } from './fake-slurm/fake-slurm.ts'
export type { OutageKind } from './fake-slurm/outages.ts'
export type { FakeNode, FakePartition, FakeSlurmOptions } from './fake-slurm/slurm-options.ts'
export { runSchedulerCases, SCHEDULER_CASES } from './scheduler-cases/run-scheduler-cases.ts'
export type {
  CaseWord,
  RefusalRow,
  SchedulerControls,
  SchedulerFixture,
  SchedulerOutage,
  SchedulerQuestion,
  SchedulerSite,
  SchedulerUnderTest,
} from './scheduler-cases/scheduler-adapter.ts'
export type { CaseTask } from './task-values.ts'
export { createTaskFile, createTaskSpec } from './task-values.ts'
export { readLog, settled, until } from './waiting.ts'
