import type { RunSpec, TaskFile, TaskSpec } from '../task/task-spec.ts'

/** A task as the cases write it: every key but `run` has its default. `run` as a string is a script, as a list a command. */
export type CaseTask = Partial<Omit<TaskSpec, 'run'>> & { readonly run: string | readonly string[] }

/** Completes a case's task without going through YAML, so that hostile values arrive as they are. */
export function createTaskSpec(target: string, task: CaseTask): TaskSpec {
  const run: RunSpec = typeof task.run === 'string' ? { kind: 'script', text: task.run } : { kind: 'argv', argv: task.run }
  return {
    target,
    numNodes: 1,
    resources: { ordered: false, candidates: [{ accelerators: [], acceleratorsOrdered: false, raw: {} }] },
    envs: {},
    secrets: {},
    fileMounts: [],
    retries: { max: 0, when: [], backoffMs: 0 },
    graceMs: 10_000,
    after: [],
    collect: [],
    notify: {},
    baseDirectory: '/',
    foreign: {},
    written: {},
    ...task,
    run,
  }
}

/** A file of one task, or of several joined by their `after`. */
export function createTaskFile(target: string, ...tasks: readonly CaseTask[]): TaskFile {
  return {
    source: '<executor case>',
    execution: 'graph',
    primaryTasks: [],
    terminationDelayMs: {},
    tasks: tasks.map((task) => createTaskSpec(target, task)),
  }
}
