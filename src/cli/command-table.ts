import type { Cli } from './cli.ts'
import type { CommandName } from './command-names.ts'

/** Runs a command with the words after its name. */
export type CommandRunner = (cli: Cli, argv: readonly string[]) => Promise<void>

/** Loads the module of one command alone: `drover list` must not pay for `drover run`. */
export const COMMAND_LOADERS: Readonly<Record<CommandName, () => Promise<CommandRunner>>> = {
  run: async () => (await import('./commands/run.ts')).runCommand,
  plan: async () => (await import('./commands/plan.ts')).planCommand,
  list: async () => (await import('./commands/list.ts')).listCommand,
  show: async () => (await import('./commands/show.ts')).showCommand,
  logs: async () => (await import('./commands/logs.ts')).logsCommand,
  wait: async () => (await import('./commands/wait.ts')).waitCommand,
  cancel: async () => (await import('./commands/cancel.ts')).cancelCommand,
  retry: async () => (await import('./commands/retry.ts')).retryCommand,
  explain: async () => (await import('./commands/explain.ts')).explainCommand,
  settle: async () => (await import('./commands/settle.ts')).settleCommand,
  fetch: async () => (await import('./commands/fetch.ts')).fetchCommand,
  shell: async () => (await import('./commands/shell.ts')).shellCommand,
  forward: async () => (await import('./commands/forward.ts')).forwardCommand,
  package: async () => (await import('./commands/package.ts')).packageCommand,
  rm: async () => (await import('./commands/rm.ts')).rmCommand,
  prune: async () => (await import('./commands/prune.ts')).pruneCommand,
  target: async () => (await import('./commands/target.ts')).targetCommand,
  cluster: async () => (await import('./commands/cluster.ts')).clusterCommand,
  worker: async () => (await import('./commands/worker.ts')).workerCommand,
  workflow: async () => (await import('./commands/workflow.ts')).workflowCommand,
  db: async () => (await import('./commands/db.ts')).dbCommand,
  import: async () => (await import('./commands/import.ts')).importCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  supervisor: async () => (await import('./commands/supervisor.ts')).supervisorCommand,
  completion: async () => (await import('./commands/completion.ts')).completionCommand,
  version: async () => (await import('./commands/version.ts')).versionCommand,
  help: async () => (await import('./commands/help.ts')).helpCommand,
  __complete: async () => (await import('./commands/complete.ts')).completeCommand,
}
