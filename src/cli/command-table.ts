import type { Cli } from './cli.ts'

/** Runs a command with the words after its name. */
export type CommandRunner = (cli: Cli, argv: readonly string[]) => Promise<void>

interface CommandEntry {
  /** One line for `drover help`; empty: not shown. */
  readonly summary: string
  /** What its words name, for completion. */
  readonly completes?: 'jobs' | 'targets' | 'files'
  /** Loads the command's module alone: `drover list` must not pay for `drover run`. */
  readonly load: () => Promise<CommandRunner>
}

/** Every command, in the order of `drover help`. */
export const COMMANDS = {
  run: {
    summary: 'run a task file, or a command, and follow it',
    completes: 'files',
    load: async () => (await import('./commands/run.ts')).runCommand,
  },
  plan: {
    summary: 'show what would run, without running it',
    completes: 'files',
    load: async () => (await import('./commands/plan.ts')).planCommand,
  },
  list: { summary: 'list jobs, newest first', load: async () => (await import('./commands/list.ts')).listCommand },
  show: { summary: 'show all about one job', completes: 'jobs', load: async () => (await import('./commands/show.ts')).showCommand },
  logs: {
    summary: 'print or follow what a job wrote',
    completes: 'jobs',
    load: async () => (await import('./commands/logs.ts')).logsCommand,
  },
  wait: {
    summary: 'wait for jobs; exit with their code',
    completes: 'jobs',
    load: async () => (await import('./commands/wait.ts')).waitCommand,
  },
  cancel: {
    summary: 'end jobs, or elements of an array',
    completes: 'jobs',
    load: async () => (await import('./commands/cancel.ts')).cancelCommand,
  },
  retry: {
    summary: 'start a new attempt of an ended job',
    completes: 'jobs',
    load: async () => (await import('./commands/retry.ts')).retryCommand,
  },
  explain: {
    summary: 'say why a job waits, or how it ended',
    completes: 'jobs',
    load: async () => (await import('./commands/explain.ts')).explainCommand,
  },
  settle: {
    summary: 'decide the end of a lost job',
    completes: 'jobs',
    load: async () => (await import('./commands/settle.ts')).settleCommand,
  },
  fetch: {
    summary: 'copy files of a job to this machine',
    completes: 'jobs',
    load: async () => (await import('./commands/fetch.ts')).fetchCommand,
  },
  rm: {
    summary: 'remove ended jobs and their directories',
    completes: 'jobs',
    load: async () => (await import('./commands/rm.ts')).rmCommand,
  },
  prune: { summary: 'remove old jobs by age or size', load: async () => (await import('./commands/prune.ts')).pruneCommand },
  target: {
    summary: 'list, show or check targets',
    completes: 'targets',
    load: async () => (await import('./commands/target.ts')).targetCommand,
  },
  doctor: { summary: 'check this installation', load: async () => (await import('./commands/doctor.ts')).doctorCommand },
  supervisor: {
    summary: 'status, stop or run of the supervisor',
    load: async () => (await import('./commands/supervisor.ts')).supervisorCommand,
  },
  completion: {
    summary: 'print a completion script for bash, zsh or fish',
    load: async () => (await import('./commands/completion.ts')).completionCommand,
  },
  version: { summary: 'print the version', load: async () => (await import('./commands/version.ts')).versionCommand },
  help: { summary: 'show this, or help on a command', load: async () => (await import('./commands/help.ts')).helpCommand },
  __complete: { summary: '', load: async () => (await import('./commands/complete.ts')).completeCommand },
} as const satisfies Readonly<Record<string, CommandEntry>>

/** Name of a command. */
export type CommandName = keyof typeof COMMANDS

/** True for the name of a command. */
export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name)
}
