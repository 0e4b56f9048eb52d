import { quoteArgv, quoteDirective } from '../../driver/quote.ts'
import { InputError } from '../../errors.ts'
import type { BatchHead, BatchRequest } from '../batch/scheduler.ts'
import type { ResolvedTask } from '../executor.ts'
import { gpuRequest } from './slurm-gpus.ts'
import type { NativeValue, SlurmOptions } from './slurm-options.ts'
import { pyxisOf } from './slurm-pyxis.ts'

/** Nodes of the list `of`, each with an address that the others reach. */
const nodeLines = (of: string): string => `scontrol show hostnames "${of}" | while IFS= read -r name; do
  ip=$(getent ahostsv4 "$name" 2>/dev/null | awk 'NR == 1 { print $1 }')
  [ -n "$ip" ] || ip=$(getent ahosts "$name" 2>/dev/null | awk 'NR == 1 { print $1 }')
  echo "$name \${ip:-$name}"
done`

/** Nodes of the allocation in order of rank, each with an address that the others reach. */
export const NODE_LIST = nodeLines('$SLURM_JOB_NODELIST')

/** The same of a heterogeneous job: ranks count on from component to component (measured on 22.05). */
function hetNodeList(components: number): string {
  return Array.from({ length: components }, (_, index) => nodeLines(`$SLURM_JOB_NODELIST_HET_GROUP_${index}`)).join('\n')
}

/** NeMo-Run's macro `group_host(i)`: the first host of component i. */
function hetHost(index: number): readonly string[] {
  const name = `DROVER_HET_GROUP_HOST_${index}`
  return [`${name}=$(scontrol show hostnames "$SLURM_JOB_NODELIST_HET_GROUP_${index}" | head -n 1)`, `export ${name}`]
}

/**
 * One task per node has all that the allocation has there; `--cpus-per-task` would imply `--exact` and take the rest of an
 * exclusive node from it (srun(1) of 22.05).
 */
const LAUNCH_OPTIONS = ['--overlap', '--cpu-bind=none', '--export=ALL', '--kill-on-bad-exit=1', '--wait=0', '--input=none']

/** Slurm counts whole minutes, and ends a job up to a minute late. */
function minutes(ms: number): number {
  return Math.max(1, Math.ceil(ms / 60_000))
}

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 1024 ** 2)}M`

/** One option as words: `true` a bare flag, a list once for each; false and null none. */
function optionWords(name: string, value: NativeValue): readonly string[] {
  const option = `--${name.replace(/^--/, '').replaceAll('_', '-')}`
  if (value === null || value === false) return []
  if (value === true) return [option]
  return (Array.isArray(value) ? value : [value]).map((each) => `${option}=${String(each)}`)
}

/** What the nodes of a job, or of one component of it, are asked for. */
interface NodeWish {
  readonly nodes: number
  readonly cpus: number
  readonly memoryBytes?: number
  readonly gpus: number
  readonly gpuType?: string
  readonly plain: Readonly<Record<string, string>>
}

interface Shape {
  /** What Drover itself decides of the nodes. */
  readonly own: readonly string[]
  readonly chosen: readonly string[]
  readonly warnings: readonly string[]
}

/** Directives of one kind of node. */
function shapeOf(wish: NodeWish, request: BatchRequest<SlurmOptions>, first: boolean): Shape {
  const { task, options, facts, after, limitMs } = request
  const { plain: all, native, exclusive } = options
  const { gres, dependency, time, hold, mem, ...plain } = { ...all, ...wish.plain }
  const gpu = wish.gpus > 0 ? gpuRequest({ ...task, perNode: wish }, facts, plain['partition']) : undefined
  const limit = limitMs === undefined ? time : String(minutes(limitMs))
  const conditions = { ok: 'afterok', any: 'afterany', failed: 'afternotok' } as const
  const dependencies = first
    ? [...after.map(({ id, condition }) => `${conditions[condition]}:${id}`), ...(dependency === undefined ? [] : [dependency])]
    : []
  const generic = [...(gpu && options.gpuRequest === 'gres' ? [gpu.words] : []), ...(gres === undefined ? [] : [gres])]
  // The whole node is the job's: how many cores that are is for Slurm to say.
  const cpus = exclusive !== false && !asksCpus(task) ? [] : [`--cpus-per-task=${wish.cpus}`]
  const memory =
    mem !== undefined
      ? [`--mem=${mem}`]
      : wish.memoryBytes !== undefined && plain['mem_per_cpu'] === undefined && plain['mem_per_gpu'] === undefined
        ? [`--mem=${mebibytes(wish.memoryBytes)}`]
        : []
  // A native option stands above the typed one of its name.
  const typed = Object.entries(plain).filter(([name]) => !Object.keys(native).some((each) => plainName(each) === name))
  return {
    own: [
      `--nodes=${wish.nodes}`,
      `--ntasks=${wish.nodes}`,
      '--ntasks-per-node=1',
      ...(plain['cpus_per_gpu'] === undefined ? cpus : []),
      ...memory,
    ],
    chosen: [
      ...typed.map(([name, value]) => (value === '' ? `--${name.replaceAll('_', '-')}` : `--${name.replaceAll('_', '-')}=${value}`)),
      ...(hold === undefined ? [] : ['--hold']),
      ...(exclusive === false ? [] : [exclusive === true ? '--exclusive' : `--exclusive=${exclusive}`]),
      ...(limit === undefined ? [] : [`--time=${limit}`]),
      ...(generic.length === 0 ? [] : [`--gres=${generic.join(',')}`]),
      ...(gpu && options.gpuRequest === 'gpus_per_node' ? [`--gpus-per-node=${gpu.words.replace(/^gpu:/, '')}`] : []),
      ...(dependencies.length === 0 ? [] : [`--dependency=${dependencies.join(',')}`, '--kill-on-invalid-dep=yes']),
      ...Object.entries(native).flatMap(([name, value]) => optionWords(name, value)),
    ],
    warnings: [...(gpu?.warning === undefined ? [] : [gpu.warning]), ...doubts(wish, plain['partition'], request)],
  }
}

const plainName = (native: string): string => native.replace(/^--/, '').replaceAll('-', '_')

function asksCpus({ spec }: ResolvedTask): boolean {
  return spec.resources.candidates.some(({ cpus }) => cpus !== undefined) || spec.cpusPerProcess !== undefined
}

/** What the partition does not give; Slurm takes such jobs and lets them wait for ever (22.05: PartitionConfig, PartitionTimeLimit). */
function doubts(wish: NodeWish, named: string | undefined, { limitMs: needed, facts }: BatchRequest<SlurmOptions>): readonly string[] {
  const names = named?.split(',')
  const partitions = facts.partitions.filter((each) => (names === undefined ? each.isDefault : names.includes(each.name)))
  if (partitions.length === 0) return []
  const where = partitions.map(({ name }) => name).join(', ')
  const most = (of: (each: (typeof partitions)[number]) => number | undefined): number =>
    Math.max(...partitions.map((each) => of(each) ?? Number.POSITIVE_INFINITY))
  const limitMs = most(({ maxTimeMs }) => maxTimeMs)
  const asked = needed === undefined ? 0 : minutes(needed) * 60_000
  const lacks = (what: string, most: number | string): string =>
    `partition ${where} ${what} (${most}): the job would wait for ever unless the site makes an exception for you`
  return [
    ...(wish.nodes > most(({ nodes }) => nodes)
      ? [
          lacks(
            `has fewer than the ${wish.nodes} nodes asked for`,
            most(({ nodes }) => nodes),
          ),
        ]
      : []),
    ...(wish.cpus > most(({ cpus }) => cpus)
      ? [
          lacks(
            `has no node with ${wish.cpus} cores`,
            most(({ cpus }) => cpus),
          ),
        ]
      : []),
    ...((wish.memoryBytes ?? 0) > most(({ memoryBytes }) => memoryBytes)
      ? [lacks(`has no node with ${mebibytes(wish.memoryBytes ?? 0)} of memory`, mebibytes(most(({ memoryBytes }) => memoryBytes)))]
      : []),
    ...(asked > limitMs ? [lacks(`runs jobs for less than the ${asked / 60_000} min asked for`, `${limitMs / 60_000} min`)] : []),
    ...partitions.filter(({ up }) => !up).map(({ name }) => `partition ${name} is down`),
  ]
}

/** How much earlier than asked for a signal before the limit may come (sbatch(1), --signal). */
const EARLIEST_SECONDS = 60

/** Throws InputError `unsupported` for what one job cannot ask for together. */
function validateRequest({ task, options, attemptDir, array }: BatchRequest<SlurmOptions>): void {
  const refuse = (why: string, hint: string): never => {
    throw new InputError('unsupported', `task ${task.name}: ${why}`, { hint })
  }
  const { plain, het } = options
  if (attemptDir.includes('\\'))
    refuse(
      `the root of target "${task.target}" has a backslash in its path, which Slurm removes from names of files`,
      'Choose another root.',
    )
  const memory = ['mem', 'mem_per_cpu', 'mem_per_gpu'].filter((name) => plain[name] !== undefined)
  const asked = task.spec.resources.candidates.some(({ memoryBytes }) => memoryBytes !== undefined) ? ['resources.memory'] : []
  if (memory.length + asked.length > 1) refuse(`${[...asked, ...memory].join(' and ')} exclude each other`, 'Keep one of them.')
  const early = ((options.signal?.beforeSeconds ?? 0) + EARLIEST_SECONDS) * 1000
  if (options.signal !== undefined && task.timeoutMs !== undefined && task.timeoutMs <= early)
    refuse(
      `a signal ${options.signal.beforeSeconds} s before the limit may come a minute earlier still, which is as soon as the job begins`,
      `Write a timeout above ${early / 1000}s, or let the signal come later.`,
    )
  if (plain['cpus_per_gpu'] !== undefined && asksCpus(task))
    refuse('cpus_per_gpu and resources.cpus exclude each other', 'Keep one of them.')
  if (het === undefined) return
  const nodes = het.reduce((sum, each) => sum + each.nodes, 0)
  if (nodes !== task.numNodes)
    refuse(`its components (option het) have ${nodes} nodes, and num_nodes is ${task.numNodes}`, `Write num_nodes: ${nodes}.`)
  const withMemory = het.filter(({ memoryBytes = task.perNode.memoryBytes }) => memoryBytes !== undefined)
  // srun (22.05): SLURM_MEM_PER_CPU, SLURM_MEM_PER_GPU, and SLURM_MEM_PER_NODE are mutually exclusive, also between components.
  if (withMemory.length > 0 && withMemory.length < het.length)
    refuse(
      'srun starts components (option het) together only where all say how much memory, or none',
      'Write memory for each, or resources.memory.',
    )
  if (array !== undefined)
    refuse('an array cannot be heterogeneous (option het)', 'Leave out het, or submit the elements as jobs of their own.')
  if (task.spec.remoteScript !== undefined)
    refuse('option het is for jobs that Drover writes', 'Write #SBATCH hetjob lines into the script itself.')
}

/** Seconds before Slurm's limit, so that the script has what it asked for before its own `timeout`, which is earlier. */
function warnBefore(seconds: number, { timeoutMs, graceMs }: ResolvedTask): number {
  return timeoutMs === undefined ? seconds : Math.min(65_535, seconds + minutes(timeoutMs + graceMs) * 60 - Math.floor(timeoutMs / 1000))
}

/** Options that become no directive of their own name. */
function explained({ signal, requeue, schedulerRequeue }: SlurmOptions): readonly string[] {
  return [
    ...(signal === undefined ? [] : [`${signal.name} for the script ${signal.beforeSeconds} s before the time limit`]),
    ...(requeue === undefined ? [] : [`run again when the script ends with ${requeue.exitCode}, at most ${requeue.max} times`]),
    ...(schedulerRequeue ? ['started anew by Slurm after a node failure or preemption'] : []),
  ]
}

/** The directives of a task, and how it runs in its allocation (sbatch(1), srun(1) of Slurm 22.05). */
export function compileSlurm(request: BatchRequest<SlurmOptions>): BatchHead {
  validateRequest(request)
  const { task, options, nativeName, attemptDir, workDir, array } = request
  const { perNode, numNodes } = task
  const whole: NodeWish = {
    nodes: numNodes,
    cpus: Math.max(1, Math.ceil(perNode.cpus)),
    ...(perNode.memoryBytes === undefined ? {} : { memoryBytes: perNode.memoryBytes }),
    gpus: perNode.gpus,
    ...(perNode.gpuType === undefined ? {} : { gpuType: perNode.gpuType }),
    plain: {},
  }
  const { signal, het } = options
  // In the pattern of a file name, Slurm reads % itself.
  const log = (name: string): string => `${attemptDir.replaceAll('%', '%%')}/${name}`
  const general = [
    `--job-name=${nativeName}`,
    `--output=${array === undefined ? log('logs/driver.log') : log('tasks/%x-%a.log')}`,
    '--open-mode=append',
    options.schedulerRequeue ? '--requeue' : '--no-requeue',
    // The signal is for the driver, which passes it on. At the time limit itself Slurm sends the driver TERM, and KILL after
    // KillWait: the end is known by its word, so no signal is spent on announcing it.
    ...(signal === undefined ? [] : [`--signal=B:USR2@${warnBefore(signal.beforeSeconds, task)}`]),
    ...(array === undefined ? [] : [`--array=${array.first}-${array.last}${array.atOnce === undefined ? '' : `%${array.atOnce}`}`]),
  ]
  const shapes = (het ?? [{ plain: {} }]).map((component, index) => shapeOf({ ...whole, ...component }, request, index === 0))
  const [shape] = shapes
  if (shape === undefined) throw new InputError('invalid_argument', 'a heterogeneous job has no components')
  const line = (option: string): string => `#SBATCH ${quoteDirective(option)}`
  const directives = shapes.flatMap(({ own, chosen }, index) =>
    index === 0
      ? [...general, ...own, ...chosen].map(line)
      : ['#SBATCH hetjob', ...[`--job-name=${nativeName}`, ...own, ...chosen].map(line)],
  )
  const container = pyxisOf(task, request)
  const shownShapes = shapes.map(({ own, chosen }) => [...own, ...chosen])
  const written = (pattern: RegExp): string => shownShapes.map((words) => words.filter((each) => pattern.test(each)).join(' ')).join(' : ')
  const foreign = task.spec.remoteScript !== undefined
  const limit = shape.chosen.find((each) => each.startsWith('--time=')) ?? 'no limit'
  return {
    directives,
    ...(het === undefined ? {} : { before: het.flatMap((_, index) => hetHost(index)) }),
    foreignOptions: [
      ...(task.spec.written['num_nodes'] === undefined ? [] : [`--nodes=${numNodes}`]),
      ...(asksCpus(task) ? [`--cpus-per-task=${whole.cpus}`] : []),
      ...shape.own.filter((each) => each.startsWith('--mem=')),
      ...(signal === undefined ? [] : [`--signal=B:${signal.name}@${signal.beforeSeconds}`]),
      ...(options.schedulerRequeue ? ['--requeue'] : []),
      ...shape.chosen,
    ],
    allocation: {
      nodes: numNodes,
      workDir,
      nodeList: het === undefined ? NODE_LIST : hetNodeList(het.length),
      launch: [
        'srun',
        ...options.srunOptions,
        ...(het === undefined
          ? [`--nodes=${numNodes}`, `--ntasks=${numNodes}`, '--ntasks-per-node=1']
          : [`--het-group=${het.map((_, index) => index).join(',')}`]),
        ...LAUNCH_OPTIONS,
        ...(container?.words ?? []),
      ],
      ...(container === undefined ? {} : { always: true }),
      rankVariable: 'SLURM_PROCID',
      restartVariable: 'SLURM_RESTART_COUNT',
      ...(options.schedulerRequeue ? { requeue: true } : {}),
      ...(signal === undefined ? {} : { warning: { received: 'USR2' as const, sent: signal.name } }),
      ...(array === undefined
        ? {}
        : { task: { variable: 'SLURM_ARRAY_TASK_ID', offset: 0, count: array.last - array.first + 1, chunk: 1 } }),
    },
    keys: [
      { key: 'num_nodes', became: `${written(/^--nodes=/)}, one driver task on each` },
      { key: 'resources', became: written(/^--(cpus|mem|gres|gpus)/) },
      {
        key: 'timeout',
        became: foreign ? `${limit} for Slurm` : `${(task.timeoutMs ?? 0) / 1000} s by the node runner; ${limit} for Slurm`,
      },
      ...(array === undefined ? [] : [{ key: 'array', became: general.find((each) => each.startsWith('--array')) ?? '' }]),
      { key: 'options', became: [...shapes.map(({ chosen }) => chosen.join(' ')), ...explained(options)].filter(Boolean).join(' : ') },
      ...(foreign ? [{ key: 'remote_script', became: 'submitted as it is; its end is what Slurm says' }] : []),
      ...(foreign ? [{ key: 'args', became: 'its arguments' }] : []),
      ...(container === undefined ? [] : [{ key: 'container', became: `by pyxis: srun ${quoteArgv(container.words)}` }]),
    ],
    warnings: [...new Set(shapes.flatMap(({ warnings }) => warnings))],
  }
}
