import type { Command } from 'commander'
import { repeated } from './flag-values.ts'

/** Flags of `target add` and `target edit`, as commander gives them. */
export interface TargetFlags {
  readonly kind?: string
  readonly node?: readonly string[]
  readonly removeNode?: readonly string[]
  readonly root?: string
  readonly prologue?: string
  readonly sharedHome?: boolean
  readonly option?: readonly string[]
  readonly unset?: readonly string[]
  readonly project?: boolean
}

/** The flags of a target alone, without those that every command has. */
export function ownFlags(flags: TargetFlags & { readonly output?: string; readonly daemon?: boolean }): TargetFlags {
  const { output: _output, daemon: _daemon, ...own } = flags
  return own
}

/** Adds the flags that `add` and `edit` share. */
export function withTargetFlags(command: Command): Command {
  return command
    .option('--kind <kind>', 'executor that runs jobs there: ssh, …')
    .option('--node <node>', 'a host, in rank order, the head first; repeatable: user@host:port,gpus=4,private_ip=10.0.0.2', repeated)
    .option('--root <directory>', 'directory of bundles and jobs there (default ~/.drover)')
    .option('--prologue <text>', 'shell text before setup and run: module load, conda activate')
    .option('--shared-home', 'all nodes see one home')
    .option('--no-shared-home', 'each node has a home of its own')
    .option('--option <key=value>', 'any other option of the kind, the value as YAML; repeatable', repeated)
    .option('--project', "write the project's drover.yaml, not your own file")
}
