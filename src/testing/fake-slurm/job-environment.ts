import type { ClusterState } from './cluster-state.ts'
import { compressHostlist } from './hostlist.ts'
import { cpusPerNode } from './scheduling.ts'
import type { SlurmJob } from './slurm-job.ts'

/** Variables Slurm sets for the batch script, over those of the submission (names and forms of 22.05.8). */
export function batchEnvironment(state: ClusterState, job: SlurmJob): Record<string, string> {
  const { request, nodes } = job
  const count = nodes.length
  const perNode = (value: number): string => (count > 1 ? `${value}(x${count})` : String(value))
  const cpus = cpusPerNode(job)
  const node = nodes[0] ?? ''
  const env: Record<string, string> = {
    ...request.env,
    HOSTNAME: node,
    TMPDIR: request.env['TMPDIR'] ?? '/tmp',
    SLURMD_NODENAME: node,
    SLURM_CLUSTER_NAME: state.settings.clusterName,
    SLURM_CPUS_ON_NODE: String(cpus),
    SLURM_GTIDS: '0',
    SLURM_JOBID: String(job.id),
    SLURM_JOB_ID: String(job.id),
    SLURM_JOB_CPUS_PER_NODE: perNode(cpus),
    SLURM_JOB_GID: String(state.settings.user.gid),
    SLURM_JOB_UID: String(state.settings.user.uid),
    SLURM_JOB_USER: state.settings.user.name,
    SLURM_JOB_NAME: request.name,
    SLURM_JOB_NODELIST: compressHostlist(nodes),
    SLURM_JOB_NUM_NODES: String(count),
    SLURM_JOB_PARTITION: request.partition,
    SLURM_JOB_QOS: request.qos,
    SLURM_LOCALID: '0',
    SLURM_NNODES: String(count),
    SLURM_NODEID: '0',
    SLURM_NODELIST: compressHostlist(nodes),
    SLURM_NODE_ALIASES: '(null)',
    SLURM_PRIO_PROCESS: '0',
    SLURM_PROCID: '0',
    SLURM_SUBMIT_DIR: request.workDir,
    SLURM_SUBMIT_HOST: 'login',
    SLURM_TASKS_PER_NODE: perNode(Math.max(1, request.tasksPerNode)),
    SLURM_TOPOLOGY_ADDR: node,
    SLURM_TOPOLOGY_ADDR_PATTERN: 'node',
    SLURM_WORKING_CLUSTER: `${state.settings.clusterName}:127.0.0.1:6817:9728:109`,
  }
  if (request.memoryPerNode === undefined) env['SLURM_MEM_PER_CPU'] = String(request.memoryPerCpu)
  else env['SLURM_MEM_PER_NODE'] = String(request.memoryPerNode)
  if (request.tasksAsked) {
    env['SLURM_NTASKS'] = String(request.tasks)
    env['SLURM_NPROCS'] = String(request.tasks)
  }
  if (request.tasksPerNodeAsked) env['SLURM_NTASKS_PER_NODE'] = String(request.tasksPerNode)
  if (request.cpusPerTaskAsked) env['SLURM_CPUS_PER_TASK'] = String(request.cpusPerTask)
  if (request.account !== undefined) env['SLURM_JOB_ACCOUNT'] = request.account
  if (job.restarts > 0) env['SLURM_RESTART_COUNT'] = String(job.restarts)
  if (request.gpusPerNode > 0) {
    const ids = Array.from({ length: request.gpusPerNode }, (_, index) => index).join(',')
    Object.assign(env, { CUDA_VISIBLE_DEVICES: ids, GPU_DEVICE_ORDINAL: ids, ROCR_VISIBLE_DEVICES: ids, SLURM_JOB_GPUS: ids })
    env['SLURM_GPUS_ON_NODE'] = String(request.gpusPerNode)
  }
  if (job.arrayTask !== undefined && job.arrayTasks) {
    const [first = 0, second = first + 1] = job.arrayTasks
    env['SLURM_ARRAY_JOB_ID'] = String(job.arrayJobId)
    env['SLURM_ARRAY_TASK_ID'] = String(job.arrayTask)
    env['SLURM_ARRAY_TASK_COUNT'] = String(job.arrayTasks.length)
    env['SLURM_ARRAY_TASK_MIN'] = String(first)
    env['SLURM_ARRAY_TASK_MAX'] = String(job.arrayTasks.at(-1))
    env['SLURM_ARRAY_TASK_STEP'] = String(second - first)
  }
  if (job.het) {
    env['SLURM_HET_SIZE'] = String(job.het.size)
    for (const part of state.jobs.values()) if (part.het?.id === job.het.id) Object.assign(env, hetEnvironment(part))
  }
  return env
}

/** Variables of one component: those of a plain job with `_HET_GROUP_N`, the older `_PACK_GROUP_N` for three of them. */
function hetEnvironment(part: SlurmJob): Readonly<Record<string, string>> {
  const group = `HET_GROUP_${part.het?.offset}`
  const count = part.nodes.length
  const perNode = (value: number): string => (count > 1 ? `${value}(x${count})` : String(value))
  const own: Record<string, string> = {
    SLURM_JOB_ID: String(part.id),
    SLURM_JOB_NAME: part.request.name,
    SLURM_JOB_NODELIST: compressHostlist(part.nodes),
    SLURM_JOB_NUM_NODES: String(count),
    SLURM_JOB_PARTITION: part.request.partition,
    SLURM_JOB_QOS: part.request.qos,
    SLURM_JOB_CPUS_PER_NODE: perNode(cpusPerNode(part)),
    SLURM_TASKS_PER_NODE: perNode(Math.max(1, part.request.tasksPerNode)),
  }
  if (part.request.tasksAsked) own['SLURM_NTASKS'] = String(part.request.tasks)
  if (part.request.tasksPerNodeAsked) own['SLURM_NTASKS_PER_NODE'] = String(part.request.tasksPerNode)
  const named = Object.entries(own).map(([name, value]) => [`${name}_${group}`, value] as const)
  const packed = ['SLURM_JOB_NAME', 'SLURM_JOB_NODELIST', 'SLURM_JOB_NUM_NODES'].map(
    (name) => [`${name}_PACK_GROUP_${part.het?.offset}`, own[name] ?? ''] as const,
  )
  return Object.fromEntries([...named, ...packed])
}

/** Path of an output file: `%j %J %A %a %x %N %n %u %%` and their widths (`%4j`) filled in, relative to the work directory. */
export function outputPath(job: SlurmJob, pattern: string | undefined, user: string): string {
  const wanted = pattern ?? (job.arrayTask === undefined ? 'slurm-%j.out' : 'slurm-%A_%a.out')
  if (/^(\/dev\/null|none)$/i.test(wanted)) return '/dev/null'
  const values: Readonly<Record<string, string>> = {
    j: String(job.id),
    J: String(job.id),
    A: String(job.arrayJobId ?? job.id),
    // What Slurm prints for `no index` (0xfffffffe).
    a: String(job.arrayTask ?? 4_294_967_294),
    x: job.request.name,
    N: job.nodes[0] ?? '',
    n: '0',
    s: '4294967291',
    t: '0',
    u: user,
    b: String((job.arrayTask ?? 0) % 10),
    '%': '%',
  }
  const path = wanted.replaceAll(/%(\d*)([A-Za-z%])/g, (whole, width: string, key: string) => {
    const value = values[key]
    return value === undefined ? whole : value.padStart(Number(width || 0), '0')
  })
  return path.startsWith('/') ? path : `${job.request.workDir}/${path}`
}
