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
export {
  type OpenWorkflowsOptions,
  openWorkflows,
  readExecutors,
  type StartedWorkflow,
  type StartOptions,
  type TakeUpOptions,
  type WorkflowLibrary,
  type WorkflowResult,
} from './server/workflow-library.ts'
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
export { type CommandExecutorOptions, createCommandExecutor } from './workers/custom/command-executor.ts'
export { createFunctionExecutor, type FunctionExecutorOptions } from './workers/custom/function-executor.ts'
export { createDefaultExecutors } from './workers/defaults/default-executors.ts'
export { createJobExecutor, type JobExecutorOptions } from './workers/job/job-executor.ts'
export { createMemoryExecutor } from './workers/memory/memory-executor.ts'
export { createExecutorSet, singleExecutor } from './workers/multiple/executor-set.ts'
export { createShellExecutor } from './workers/shell/shell-executor.ts'
export { createStdInOutExecutor } from './workers/stdinout/stdinout-executor.ts'
export { createUvExecutor } from './workers/uv/uv-executor.ts'
export type { UvExecutorOptions } from './workers/uv/uv-options.ts'
export { builtins } from './workflow/builder/builtin-tasks.ts'
export { Graph, graph, RecursiveGraph } from './workflow/builder/graph.ts'
export { type LocalTask, localTask } from './workflow/builder/local-task.ts'
export { partial } from './workflow/builder/partial.ts'
export { Port } from './workflow/builder/port.ts'
export type { PortShape, PortType, ValuesOf } from './workflow/builder/port-type.ts'
export {
  anything,
  bool,
  bytes,
  complex,
  dict,
  float,
  graphOf,
  int,
  list,
  none,
  number,
  opaque,
  optional,
  str,
  tuple,
  union,
} from './workflow/builder/port-type.ts'
export { type Task, task } from './workflow/builder/task.ts'
export { Workflow } from './workflow/builder/workflow.ts'
export type {
  CallIo,
  ExecutorSet,
  FileExecutor,
  ValueExecutor,
  WorkerCall,
  WorkerCallArgs,
  WorkerEnd,
  WorkerExecutor,
} from './workflow/calls/worker-call.ts'
export { type DrawOptions, drawGraph } from './workflow/drawing/draw-graph.ts'
export { type GraphJson, graphJson } from './workflow/drawing/graph-json.ts'
export { graphMermaid } from './workflow/drawing/mermaid.ts'
export { formatGraph, parseGraph } from './workflow/model/graph-codec.ts'
export type { GraphData } from './workflow/model/graph-data.ts'
export type { GraphProblem } from './workflow/model/graph-problem.ts'
export type { CallRetries, CallRule } from './workflow/run/call-rules.ts'
export type { NodeView } from './workflow/run/inspect-run.ts'
export type { PrunedCache } from './workflow/run/prune-cache.ts'
export type { FailedNode } from './workflow/run/workflow-run.ts'
export type { RunSummary } from './workflow/run/workflows.ts'
export { Complex, type Value } from './workflow/values/value.ts'
