/** Facts about a command that do not need its code. */
interface CommandFacts {
  /** One line for `drover help`; empty: not shown. */
  readonly summary: string
  /** What its words name, for completion. */
  readonly completes?: 'jobs' | 'targets' | 'files'
}

/** Every command, in the order of `drover help`. */
export const COMMAND_FACTS = {
  run: { summary: 'run a task file, or a command, and follow it', completes: 'files' },
  plan: { summary: 'show what would run, without running it', completes: 'files' },
  list: { summary: 'list jobs, newest first' },
  show: { summary: 'show all about one job', completes: 'jobs' },
  logs: { summary: 'print or follow what a job wrote', completes: 'jobs' },
  wait: { summary: 'wait for jobs; exit with their code', completes: 'jobs' },
  cancel: { summary: 'end jobs, or elements of an array', completes: 'jobs' },
  retry: { summary: 'start a new attempt of an ended job', completes: 'jobs' },
  explain: { summary: 'say why a job waits, or how it ended', completes: 'jobs' },
  settle: { summary: 'decide the end of a lost job', completes: 'jobs' },
  fetch: { summary: 'copy files of a job to this machine', completes: 'jobs' },
  shell: { summary: 'open a shell, or run a command, where a job runs', completes: 'jobs' },
  forward: { summary: 'bring a port of a job to this machine', completes: 'jobs' },
  package: { summary: 'write code, as it would be sent, to an archive', completes: 'files' },
  rm: { summary: 'remove ended jobs and their directories', completes: 'jobs' },
  prune: { summary: 'remove old jobs by age or size, or cached results of workflows' },
  target: { summary: 'list, check, add, change or remove targets', completes: 'targets' },
  cluster: { summary: 'hold nodes of a scheduler, and run jobs on them' },
  worker: { summary: 'write, list, check and call workers of workflows', completes: 'files' },
  workflow: { summary: "run graphs of workers' tasks, Tierkreis's among them", completes: 'files' },
  db: { summary: 'databases that jobs may use' },
  import: { summary: 'take over targets, databases and jobs of another tool' },
  doctor: { summary: 'check this installation' },
  supervisor: { summary: 'status, stop or run of the supervisor' },
  completion: { summary: 'print a completion script for bash, zsh or fish' },
  version: { summary: 'print the version' },
  help: { summary: 'show this, or help on a command' },
  __complete: { summary: '' },
} as const satisfies Readonly<Record<string, CommandFacts>>

/** Name of a command. */
export type CommandName = keyof typeof COMMAND_FACTS

/** The names that are shown, in order. */
export const COMMAND_NAMES: readonly string[] = Object.entries(COMMAND_FACTS).flatMap(([name, { summary }]) =>
  summary === '' ? [] : [name],
)

/** True for the name of a command. */
export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMAND_FACTS, name)
}
