import type { OptionRefusal } from '../../targets/parse-config.ts'
import { parseDuration } from '../../task/durations.ts'
import { type HetComponent, parseHet, refuseHet } from './slurm-het.ts'

/** Options of a Slurm target and of a task on one (`options:`). */
export interface SlurmOptions {
  /** Option → value of directives that stand for themselves: partition, account, qos, …; '' for a bare flag. */
  readonly plain: Readonly<Record<string, string>>
  readonly exclusive: boolean | string
  /** How GPUs are asked for: `gres` (`--gres=gpu:h100:4`) or `gpus_per_node`. */
  readonly gpuRequest: 'gres' | 'gpus_per_node'
  /** A signal for the user's script before the time limit. */
  readonly signal?: { readonly name: string; readonly beforeSeconds: number }
  /** An exit code by which the script asks to be run again, and how often. */
  readonly requeue?: { readonly exitCode: number; readonly max: number }
  /** The scheduler may start the job anew after a node failure or a preemption. */
  readonly schedulerRequeue: boolean
  /** Components of a heterogeneous job; undefined: one kind of node. */
  readonly het?: readonly HetComponent[]
  /** Words of `srun` for several nodes, before ours. */
  readonly srunOptions: readonly string[]
  /** Directives by their own names. */
  readonly native: Readonly<Record<string, NativeValue>>
}

/** `true`: a bare flag. A list: the option once for each. `false` and null: left out. */
export type NativeValue = boolean | null | string | number | readonly (string | number)[]

/** Options that become the directive of the same name (with dashes), with what they take. */
const PLAIN = {
  partition: 'the name of a partition, or several joined by commas',
  account: 'the name of an account',
  qos: 'the name of a QoS',
  constraint: 'features as --constraint takes them',
  prefer: 'features as --prefer takes them',
  reservation: 'the name of a reservation',
  nodelist: 'node names as --nodelist takes them',
  exclude: 'node names as --exclude takes them',
  licenses: 'licenses as --licenses takes them',
  comment: 'a text',
  begin: 'a time as --begin takes it: 2026-12-01T08:00:00, now+1hour',
  deadline: 'a time as --deadline takes it',
  time: 'a time limit as --time takes it (timeout of the task stands above it)',
  time_min: 'a time limit as --time-min takes it',
  mail_type: 'events as --mail-type takes them',
  mail_user: 'an address',
  network: 'as --network takes it',
  switches: 'as --switches takes it',
  wckey: 'a key',
  tmp: 'as --tmp takes it',
  mem_per_cpu: 'as --mem-per-cpu takes it',
  mem_per_gpu: 'as --mem-per-gpu takes it',
  gpu_bind: 'as --gpu-bind takes it',
  gpu_freq: 'as --gpu-freq takes it',
  hint: 'as --hint takes it',
  distribution: 'as --distribution takes it',
  dependency: 'as --dependency takes it: singleton, afterok:123',
  gres: 'generic resources beside GPUs, as --gres takes them',
  burst_buffer: 'as --bb takes it',
} as const

/** Those that take a whole number; Slurm reads others as 0. */
const NUMBERS = {
  cpus_per_gpu: 1,
  threads_per_core: 1,
  ntasks_per_socket: 1,
  core_spec: 0,
  thread_spec: 0,
  segment: 1,
  priority: 0,
  nice: -2_147_483_645,
} as const

/** Those that are a bare flag. */
const FLAGS = ['hold', 'contiguous', 'overcommit', 'oversubscribe', 'spread_job', 'use_min_nodes', 'reboot'] as const
const isFlag = (name: string): boolean => FLAGS.some((flag) => flag === name)

/** Names of all options. */
export const slurmOptionNames: readonly string[] = [
  ...Object.keys(PLAIN),
  ...Object.keys(NUMBERS),
  ...FLAGS,
  'mem',
  'exclusive',
  'gpu_request',
  'signal',
  'requeue',
  'scheduler_requeue',
  'srun_options',
  'het',
  'native',
]

/** Directives that Drover writes itself → what to use in their place. */
const RESERVED: Readonly<Record<string, string>> = {
  'job-name': 'the name finds the job again after a submit without an answer; the task key name is what people see',
  output: 'logs lie in the job directory; drover logs shows them',
  error: 'logs lie in the job directory; drover logs shows them',
  'open-mode': 'logs are appended to',
  nodes: 'use num_nodes',
  ntasks: 'use num_nodes and processes_per_node',
  'ntasks-per-node': 'use processes_per_node',
  'cpus-per-task': 'use resources.cpus',
  mem: 'use resources.memory; all of the node: the option mem: 0',
  'gpus-per-node': 'use resources.accelerators',
  'gpus-per-task': 'use resources.accelerators: there is one task on a node, which starts the processes',
  'gpus-per-socket': 'use resources.accelerators',
  'ntasks-per-gpu': 'use processes_per_node',
  'tres-per-task': 'use resources',
  gpus: 'use resources.accelerators',
  gres: 'use resources.accelerators, and the option gres for others',
  dependency: 'use after, or the option dependency',
  time: 'use timeout, or the option time',
  clusters: 'a target is one cluster: make one of each, and login where its commands ask it',
  cluster: 'a target is one cluster: make one of each, and login where its commands ask it',
  'container-image': 'use container, with runtime: pyxis',
  'container-mounts': 'use container, with runtime: pyxis',
  'container-workdir': 'use container, with runtime: pyxis',
  array: 'use array',
  chdir: 'use workdir',
  wrap: 'use run',
  parsable: 'Drover reads what sbatch says',
  quiet: 'Drover reads what sbatch says',
  wait: 'use drover wait',
  'test-only': 'use drover plan',
  requeue: 'use the option scheduler_requeue, or retries',
  'no-requeue': 'use the option scheduler_requeue',
  signal: 'use the option signal',
  export: 'use envs',
  'export-file': 'use envs and secrets',
  input: 'the script reads nothing',
  uid: 'a job is yours',
  gid: 'a job is yours',
  'wait-all-nodes': 'the driver starts when all nodes are there',
  'kill-on-invalid-dep': 'a job that can never start is ended',
}

const outer = (must: string): OptionRefusal => ({ path: [], must })
const isPlain = (value: unknown): value is string | number =>
  (typeof value === 'string' && value !== '' && !/[\0\n\r]/.test(value)) || typeof value === 'number'

function refuseNative(value: unknown): OptionRefusal | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return outer('a mapping of sbatch options: {mail-type: END, exclusive: true}')
  for (const [name, inner] of Object.entries(value)) {
    const option = name.replace(/^--/, '').replaceAll('_', '-')
    if (!/^[a-z][a-z0-9-]*$/.test(option)) return { path: [name], must: 'a long option of sbatch, without dashes before it' }
    const own = RESERVED[option]
    if (own !== undefined) return { path: [name], must: `left out: Drover writes --${option} itself (${own})` }
    const fine = inner === null || typeof inner === 'boolean' || isPlain(inner) || (Array.isArray(inner) && inner.every(isPlain))
    if (!fine) return { path: [name], must: 'true for a bare flag, a text or number, or a list of them' }
  }
  return undefined
}

const SIGNAL = /^(?:SIG)?([A-Z][A-Z0-9]*)@(.+)$/

function refuseSignal(value: unknown): OptionRefusal | undefined {
  const must = outer('a signal and how long before the limit it comes: USR1@2m')
  if (typeof value !== 'string') return must
  const [, name, before] = SIGNAL.exec(value) ?? []
  const ms = before === undefined ? undefined : parseDuration(before)
  if (name === undefined || ms === undefined || ms < 1000 || ms > 65_535_000) return must
  return ['KILL', 'STOP', 'TERM', 'INT'].includes(name) ? outer('a signal that does not end a job: USR1, USR2, HUP, ALRM') : undefined
}

function refuseRequeue(value: unknown): OptionRefusal | undefined {
  const must = outer('an exit code and how often: {exit_code: 75, max: 10}')
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return must
  const { exit_code, max, ...others } = value as Readonly<Record<string, unknown>>
  const code = typeof exit_code === 'number' && Number.isInteger(exit_code) && exit_code >= 1 && exit_code <= 125
  const count = max === undefined || (typeof max === 'number' && Number.isInteger(max) && max >= 1)
  return code && count && Object.keys(others).length === 0 ? undefined : must
}

/** What is wrong with an option; undefined for a value that may be used. */
export function refuseSlurmOption(name: string, value: unknown): string | OptionRefusal | undefined {
  if (Object.hasOwn(PLAIN, name)) return isPlain(value) ? undefined : PLAIN[name as keyof typeof PLAIN]
  if (Object.hasOwn(NUMBERS, name)) {
    const least = NUMBERS[name as keyof typeof NUMBERS]
    return /^-?\d+$/.test(String(value)) && Number(value) >= least ? undefined : `a whole number${least < 0 ? '' : `, at least ${least}`}`
  }
  if (isFlag(name)) return typeof value === 'boolean' ? undefined : 'true or false'
  switch (name) {
    case 'mem':
      return value === 0 || value === '0' ? undefined : '0: all memory of each node (any other amount: resources.memory)'
    case 'het':
      return refuseHet(value)
    case 'scheduler_requeue':
      return typeof value === 'boolean' ? undefined : 'true or false'
    case 'exclusive':
      return typeof value === 'boolean' || ['user', 'mcs', 'topo'].includes(String(value)) ? undefined : 'true, false, user, mcs or topo'
    case 'gpu_request':
      return value === 'gres' || value === 'gpus_per_node' ? undefined : 'gres or gpus_per_node'
    case 'signal':
      return refuseSignal(value)
    case 'requeue':
      return refuseRequeue(value)
    case 'srun_options':
      return Array.isArray(value) && value.every((each) => typeof each === 'string' && each.startsWith('-') && !/[\0\n\r]/.test(each))
        ? undefined
        : 'a list of options of srun: ["--mpi=pmix"]'
    default:
      return name === 'native' ? refuseNative(value) : `one of ${slurmOptionNames.join(', ')}`
  }
}

/** Reads options that `refuseSlurmOption` lets pass; the task's over the target's. */
export function parseSlurmOptions(options: Readonly<Record<string, unknown>>): SlurmOptions {
  const plain = Object.entries(options).filter(
    ([name, value]) => (Object.hasOwn(PLAIN, name) || Object.hasOwn(NUMBERS, name) || name === 'mem') && isPlain(value),
  )
  const het = parseHet(options['het'])
  const [, signalName, before] = typeof options['signal'] === 'string' ? (SIGNAL.exec(options['signal']) ?? []) : []
  const { exclusive, requeue, native, srun_options: srun } = options
  const asked = requeue as { readonly exit_code: number; readonly max?: number } | undefined
  return {
    plain: Object.fromEntries([
      ...plain.map(([name, value]) => [name === 'burst_buffer' ? 'bb' : name, String(value)] as const),
      ...FLAGS.filter((name) => options[name] === true).map((name) => [name, ''] as const),
    ]),
    exclusive: typeof exclusive === 'string' ? exclusive : exclusive === true,
    gpuRequest: options['gpu_request'] === 'gpus_per_node' ? 'gpus_per_node' : 'gres',
    ...(signalName === undefined || before === undefined
      ? {}
      : { signal: { name: signalName, beforeSeconds: Math.ceil((parseDuration(before) ?? 60_000) / 1000) } }),
    ...(asked === undefined ? {} : { requeue: { exitCode: asked.exit_code, max: asked.max ?? 10 } }),
    schedulerRequeue: options['scheduler_requeue'] === true,
    ...(het === undefined ? {} : { het }),
    srunOptions: Array.isArray(srun) ? (srun as readonly string[]) : [],
    native: (native as Readonly<Record<string, NativeValue>> | undefined) ?? {},
  }
}
