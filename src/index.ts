/** The library: the same power as the command line. Only this file (and `drover/testing`) is public. */
export { DroverError, type ErrorCode, type ErrorDetails, type ErrorJson, type ErrorLevel, InputError } from './errors.ts'
export type { Capabilities } from './executors/capabilities.ts'
export type {
  Executor,
  Io,
  KeyOutcome,
  NativeObservation,
  NativeRef,
  Plan,
  PlannedFile,
  PollResult,
  ResolvedTask,
  SiteFacts,
} from './executors/executor.ts'
export type {
  CheckLine,
  Drover,
  Explanation,
  Job,
  JobAttempt,
  JobElement,
  JobElements,
  JobEvent,
  JobLocation,
  JobRank,
  ListFilter,
  LogChunk,
  LogQuery,
  PlanView,
  PruneOptions,
  SubmitOptions,
  SupervisorStatus,
  TargetView,
} from './jobs/drover.ts'
export { type ArchiveFormat, type PackageDirectoryOptions, packageDirectory } from './packaging/package-directory.ts'
export { type DroverLibrary, type JobHandle, openDrover } from './server/library.ts'
export type { OpenDroverOptions } from './server/open-drover.ts'
export { defineTask, defineTasks } from './task/define-task.ts'
export { localFileAccess } from './task/file-access.ts'
export { type PackagedConfigs, packageConfigs } from './task/package-configs.ts'
export {
  type Cause,
  END_STATES,
  type EndState,
  FAILURE_KINDS,
  type FailureKind,
  isEndState,
  isSettled,
  LIVE_STATES,
  STATES,
  type State,
} from './task/states.ts'
export type { TaskContext } from './task/task-context.ts'
export { parseTaskFile, taskFromCommand } from './task/task-file.ts'
export type { TaskFile, TaskSpec, WorkdirSpec } from './task/task-spec.ts'
export type { CommandResult, Transport } from './transports/transport.ts'
