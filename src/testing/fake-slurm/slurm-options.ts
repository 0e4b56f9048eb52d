/** One fake node. Jobs of all nodes run on this machine; a node is a name and an amount to hand out. */
export interface FakeNode {
  readonly name: string
  /** Default 4. */
  readonly cpus?: number
  /** MiB. Default 2000. */
  readonly memoryMib?: number
  /** Default 0. */
  readonly gpus?: number
  /** Type of the GPUs as in `gpu:TYPE:N`. Default `fake`. */
  readonly gpuType?: string
  readonly features?: readonly string[]
}

/** One fake partition. */
export interface FakePartition {
  readonly name: string
  /** Names of its nodes. Default: all. */
  readonly nodes?: readonly string[]
  /** Minutes; `Infinity` for none. Default 60. */
  readonly maxMinutes?: number
  /** Minutes given to a job that asks for none. Default 5. */
  readonly defaultMinutes?: number
  /** Higher goes first and, with `preempt` on the lower one, takes its nodes. Default 10. */
  readonly tier?: number
  /** What happens to its jobs when a higher tier needs the nodes. Default `off`. */
  readonly preempt?: 'off' | 'requeue' | 'cancel'
  /** Default: the first of the list. */
  readonly isDefault?: boolean
}

/** How `createFakeSlurm` is to be set up. Defaults are those of a small Slurm 22.05 cluster with accounting. */
export interface FakeSlurmOptions {
  /** Empty directory of the caller's; gets `bin/`, the socket and the client. Keep its path below 80 bytes (a socket's limit is 108). */
  readonly directory: string
  /** Default: node1..node4, 4 CPUs, 2000 MiB, two GPUs on node1 and node2. */
  readonly nodes?: readonly FakeNode[]
  /** Default: main (60 min), low (preempted: requeue), lowc (preempted: cancel), high. */
  readonly partitions?: readonly FakePartition[]
  /** Default `fake`. */
  readonly clusterName?: string
  /** Whether sacct and sacctmgr have a database. Default true. */
  readonly accounting?: boolean
  /** Accounts of the user; given, any other is refused (AccountingStorageEnforce=associations). Default: any is taken. */
  readonly accounts?: readonly string[]
  /** QoS names; given, any other is refused. Default: any is taken. */
  readonly qos?: readonly string[]
  /** Names that `--reservation` takes. Default none. */
  readonly reservations?: readonly string[]
  /** `ALL`: sbatch refuses what never fits its partition; `NO`: the job waits for ever, as Slurm does by default. */
  readonly enforcePartLimits?: 'NO' | 'ALL'
  /** MinJobAge: after this long an ended job is forgotten by squeue and scontrol. Milliseconds, default 300 000. */
  readonly minJobAgeMs?: number
  /** Indices of arrays are below this. Default 1001, as Slurm's. */
  readonly maxArraySize?: number
  /** From TERM to KILL. Milliseconds of the fake's clock, default 2000. */
  readonly killWaitMs?: number
  /** How long a requeued job waits. Milliseconds of the fake's clock, default 121 000. */
  readonly requeueDelayMs?: number
  /** Most jobs known at once (MaxJobCount). Default 20 000. */
  readonly maxJobCount?: number
  /** Waiting times of commands while Slurm is broken (9 s and more on the real one) times this. Default 0.01. */
  readonly outageTimeScale?: number
  /** First job id. Default 1. */
  readonly firstJobId?: number
}

/** The options with their defaults. */
export interface SlurmSettings extends Required<Omit<FakeSlurmOptions, 'nodes' | 'partitions' | 'accounts' | 'qos'>> {
  readonly nodes: readonly Required<FakeNode>[]
  readonly partitions: readonly Required<FakePartition>[]
  readonly accounts: readonly string[] | undefined
  readonly qos: readonly string[] | undefined
  readonly user: { readonly name: string; readonly uid: number; readonly gid: number }
}

const DEFAULT_NODES: readonly FakeNode[] = [{ name: 'node1', gpus: 2 }, { name: 'node2', gpus: 2 }, { name: 'node3' }, { name: 'node4' }]
const DEFAULT_PARTITIONS: readonly FakePartition[] = [
  { name: 'main' },
  { name: 'low', maxMinutes: Number.POSITIVE_INFINITY, tier: 1, preempt: 'requeue' },
  { name: 'lowc', maxMinutes: Number.POSITIVE_INFINITY, tier: 1, preempt: 'cancel' },
  { name: 'high', maxMinutes: Number.POSITIVE_INFINITY, tier: 20 },
]

/** Fills in the defaults. `user` is whoever runs the fake. */
export function resolveSlurmSettings(options: FakeSlurmOptions, user: SlurmSettings['user']): SlurmSettings {
  const nodes = (options.nodes ?? DEFAULT_NODES).map((node) => ({
    name: node.name,
    cpus: node.cpus ?? 4,
    memoryMib: node.memoryMib ?? 2000,
    gpus: node.gpus ?? 0,
    gpuType: node.gpuType ?? 'fake',
    features: node.features ?? [],
  }))
  const partitions = (options.partitions ?? DEFAULT_PARTITIONS).map((partition, index) => ({
    name: partition.name,
    nodes: partition.nodes ?? nodes.map((node) => node.name),
    maxMinutes: partition.maxMinutes ?? 60,
    defaultMinutes: partition.defaultMinutes ?? 5,
    tier: partition.tier ?? 10,
    preempt: partition.preempt ?? ('off' as const),
    isDefault: partition.isDefault ?? index === 0,
  }))
  return {
    directory: options.directory,
    clusterName: options.clusterName ?? 'fake',
    accounting: options.accounting ?? true,
    accounts: options.accounts,
    qos: options.qos,
    reservations: options.reservations ?? [],
    enforcePartLimits: options.enforcePartLimits ?? 'NO',
    minJobAgeMs: options.minJobAgeMs ?? 300_000,
    maxArraySize: options.maxArraySize ?? 1001,
    killWaitMs: options.killWaitMs ?? 2000,
    requeueDelayMs: options.requeueDelayMs ?? 121_000,
    maxJobCount: options.maxJobCount ?? 20_000,
    outageTimeScale: options.outageTimeScale ?? 0.01,
    firstJobId: options.firstJobId ?? 1,
    nodes,
    partitions,
    user,
  }
}
