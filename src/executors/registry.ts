import { DroverError } from '../errors.ts'
import type { CheckLine } from '../targets/check-line.ts'
import type { LoginStep } from '../targets/login-step.ts'
import type { OptionRefusal, TargetKinds } from '../targets/parse-config.ts'
import type { Target } from '../targets/target.ts'
import type { Transport } from '../transports/transport.ts'
import type { HeldNodes } from './batch/held-nodes.ts'
import type { Capabilities } from './capabilities.ts'
import { clusterKind } from './cluster/cluster-kind.ts'
import { CLUSTER_KIND, type Holder } from './cluster/cluster-target.ts'
import type { Executor, Logger, SiteFacts } from './executor.ts'
import { localKind } from './local/local-executor.ts'
import { pbsKind } from './pbs/pbs-kind.ts'
import { pjmKind } from './pjm/pjm-kind.ts'
import { slurmKind } from './slurm/slurm-kind.ts'
import { sshKind } from './ssh/ssh-kind.ts'

/** What a connection may use of its supervisor. */
export interface ConnectWorld {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  now(): number
  readonly log: Logger
  /** The job that holds the nodes of a cluster; undefined: there is no such job (any more). */
  holder?(jobId: string): Promise<Holder | undefined>
}

/** A target ready for work: who reaches it, what is known of it, who drives jobs there. */
export interface Connection {
  readonly executor: Executor
  readonly transport: Transport
  readonly site: SiteFacts
  /** How long a job waits in line for nodes that do not answer at its start, ms; absent: it fails at once. */
  readonly waitForNodesMs?: number
}

/** One kind of target. A new executor adds one line to the table below and its own folder. */
export interface ExecutorKind {
  readonly kind: string
  /** One line for the table of executors. */
  readonly summary: string
  readonly capabilities: Capabilities
  /** Names of the options a target of this kind may have in a configuration file. */
  readonly optionNames: readonly string[]
  /** Options without which a target of this kind cannot be used. */
  readonly requiredOptions?: readonly string[]
  /** What an option takes, when this value is none; undefined for a value that may be used. The file's place is added by who reads it. */
  readonly refuseOption?: (name: string, value: unknown) => string | OptionRefusal | undefined
  /** How nodes are held for jobs of ours; absent: they cannot be. */
  readonly held?: HeldNodes
  connect(target: Target, world: ConnectWorld): Promise<Connection>
  /** Preflight of a target, node by node, without `connect`; absent: `target check` says what the probe found. */
  check?(target: Target, world: ConnectWorld): Promise<readonly CheckLine[]>
  /** What a person runs at the terminal so that later connections ask nothing; absent: there is nothing to log in to. */
  loginSteps?(target: Target, environment: ConnectWorld['environment']): readonly LoginStep[]
  /** Arguments of ssh up to the host, for a person's own session on a node; absent: the target is this machine. */
  sessionArguments?(target: Target, node: string, environment: ConnectWorld['environment']): readonly string[] | undefined
}

const kinds: readonly ExecutorKind[] = [localKind, sshKind, slurmKind, pbsKind, pjmKind]

/** Names of all kinds, in the order of the documentation. */
export function executorKinds(): readonly string[] {
  return kinds.map((kind) => kind.kind)
}

/** All kinds with their options, for reading configuration files. */
export function executorTargetKinds(): TargetKinds {
  return Object.fromEntries(kinds.map((kind) => [kind.kind, kind]))
}

/** Throws `unknown_target` for a kind that is not there. */
export function executorOf(kind: string): ExecutorKind {
  // Clusters are made by a command, and by no configuration file.
  const found = kind === CLUSTER_KIND ? clusterKind : kinds.find((candidate) => candidate.kind === kind)
  if (found !== undefined) return found
  throw new DroverError('unknown_target', `there is no executor of kind "${kind}"`, {
    level: 'config',
    hint: `Kinds: ${executorKinds().join(', ')}.`,
  })
}
