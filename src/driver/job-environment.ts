import { InputError } from '../errors.ts'

/** What the variables of a job are made of. */
export interface JobEnvironmentOptions {
  readonly jobId: string
  readonly jobName: string
  /** 1-based. */
  readonly attempt: number
  readonly target: string
  /** Executor kind, for SKYPILOT_CLUSTER_INFO's `cloud`. */
  readonly kind: string
  /** In order of rank. */
  readonly nodes: readonly { readonly node: string; readonly ip: string }[]
  /** Per node. */
  readonly cpus: number
  readonly gpus: number
  readonly processesPerNode: number
  /** Default: the node's CPUs shared among its processes, at least 1. */
  readonly cpusPerProcess?: number
  /** Absolute, on the target. */
  readonly attemptDir: string
  /** User name of the client. */
  readonly user: string
  /** Upstream task name → directory. */
  readonly upstreams?: Readonly<Record<string, string>>
  /** Name of the group or pipeline the task belongs to. */
  readonly groupName?: string
}

/** A phase of a rank: the variables differ. */
export type Phase = 'setup' | 'run'

/**
 * Variables that all ranks share in both phases. SKYPILOT_* as SkyPilot 0.14 names them (sky/backends/task_codegen.py);
 * SKYPILOT_TASK_ID holds no attempt, so that checkpoints and run names stay the same over retries. Not set, because they
 * speak of SkyPilot's own services: SKYPILOT_MANAGED_JOB_ID, _TASK_IDS, _API_SERVER_ENDPOINT, _SERVE_REPLICA_ID, _HOOK_EVENT.
 * DROVER_NODE_IPS has one address per line; DROVER_NODELIST is node names joined by commas.
 * Throws InputError `invalid_task` when two upstream names give the same variable.
 */
export function jobEnvironment(options: JobEnvironmentOptions): Readonly<Record<string, string>> {
  const { jobId, jobName, target, nodes } = options
  const cpusPerProcess = options.cpusPerProcess ?? Math.max(1, Math.floor(options.cpus / options.processesPerNode))
  return {
    PYTHONUNBUFFERED: '1',
    DROVER_JOB_ID: jobId,
    DROVER_JOB_NAME: jobName,
    DROVER_ATTEMPT: String(options.attempt),
    DROVER_TARGET: target,
    DROVER_NUM_NODES: String(nodes.length),
    DROVER_NODE_IPS: nodes.map(({ ip }) => ip).join('\n'),
    DROVER_NODELIST: nodes.map(({ node }) => node).join(','),
    DROVER_HEAD_IP: nodes[0]?.ip ?? '',
    DROVER_NUM_GPUS_PER_NODE: String(options.gpus),
    DROVER_CPUS_PER_NODE: String(options.cpus),
    DROVER_PROCESSES_PER_NODE: String(options.processesPerNode),
    DROVER_CPUS_PER_PROCESS: String(cpusPerProcess),
    DROVER_ATTEMPT_DIR: options.attemptDir,
    SKYPILOT_NUM_NODES: String(nodes.length),
    SKYPILOT_TASK_ID: `sky-${jobId}_${target}_${jobName}`,
    SKYPILOT_CLUSTER_INFO: JSON.stringify({ cluster_name: target, cloud: options.kind, region: null, zone: null }),
    SKYPILOT_USER: options.user,
    SKYPILOT_INTERNAL_JOB_ID: jobId,
    ...(options.groupName === undefined ? {} : { SKYPILOT_JOBGROUP_NAME: options.groupName }),
    ...upstreamVariables(options.upstreams ?? {}),
  }
}

function upstreamVariables(upstreams: Readonly<Record<string, string>>): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const [task, directory] of Object.entries(upstreams)) {
    const name = `DROVER_UPSTREAM_${task.toUpperCase().replace(/[^A-Z0-9_]/g, '_')}`
    if (name in variables) {
      throw new InputError('invalid_task', `two upstream tasks give the variable ${name}; one is ${JSON.stringify(task)}`, {
        hint: 'Rename one of them.',
      })
    }
    variables[name] = directory
  }
  return variables
}

/** Variables that all ranks share in one phase. */
export function phaseEnvironment(nodes: readonly { readonly ip: string }[], gpus: number, phase: Phase): Readonly<Record<string, string>> {
  const ips = nodes.map(({ ip }) => ip).join('\n')
  return phase === 'setup'
    ? { SKYPILOT_SETUP_NODE_IPS: ips, SKYPILOT_SETUP_NUM_GPUS_PER_NODE: String(gpus) }
    : { SKYPILOT_NODE_IPS: ips, SKYPILOT_NUM_GPUS_PER_NODE: String(gpus) }
}

/** Variables of one rank; the node runner exports them, after those of the job. The rank's own `env` cannot change its identity. */
export function rankEnvironment(
  rank: { readonly rank: number; readonly workDir: string; readonly env?: Readonly<Record<string, string>> },
  phase: Phase,
): Readonly<Record<string, string>> {
  return {
    DROVER_NODE_RANK: String(rank.rank),
    DROVER_WORK_DIR: rank.workDir,
    [phase === 'setup' ? 'SKYPILOT_SETUP_NODE_RANK' : 'SKYPILOT_NODE_RANK']: String(rank.rank),
    ...rank.env,
  }
}
