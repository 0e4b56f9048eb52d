import type { RunSpec, TaskSpec } from '../task/task-spec.ts'

/** What wrapping a command needs beside the task: what was decided for one node. */
export interface NodeShare {
  readonly cpus: number
  /** Whole devices. */
  readonly gpus: number
  readonly processesPerNode: number
}

/** What run.sh executes on every node: the user's command as its launcher, then its container, wrap it. Pure. */
export function prepareRun(spec: TaskSpec, _share: NodeShare): RunSpec {
  return spec.run
}
