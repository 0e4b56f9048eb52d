import { compileLaunch } from '../launchers/compile-launch.ts'
import type { RunSpec, TaskSpec } from '../task/task-spec.ts'

/** What wrapping a command needs beside the task: what was decided for one node. */
export interface NodeShare {
  readonly cpus: number
  /** Whole devices. */
  readonly gpus: number
  readonly processesPerNode: number
  /** True when all nodes see one job directory. Default: on one node only. */
  readonly sharedHome?: boolean
}

/** What run.sh executes on every node: the user's command as its launcher, then its container, wrap it. Pure. */
export function prepareRun(spec: TaskSpec, share: NodeShare): RunSpec {
  return compileLaunch(spec.launcher, spec.run, {
    numNodes: spec.numNodes,
    sharedHome: share.sharedHome ?? spec.numNodes === 1,
    envs: spec.envs,
    secretNames: Object.keys(spec.secrets),
  })
}
